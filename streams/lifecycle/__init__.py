"""The inactive-key policy at work: uses read from Kafka, notices sent, keys removed."""
