"""The risk team's screen: a read model of the topics, a JSON API over it, and the pages."""
