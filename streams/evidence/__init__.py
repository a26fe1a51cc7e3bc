"""Evidence of a disputed freeze: gathered from the topics, written as a folder of files."""
