"""RabbitMQ quorum queues."""
