"""Apache Kafka, one broker."""
