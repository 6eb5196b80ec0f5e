"""The checks made with boto3."""
