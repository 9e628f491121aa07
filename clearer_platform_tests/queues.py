"""A bucket that tells a queue of what is put into it, both on moto's server; what tests put into either."""

import json
from dataclasses import dataclass
from typing import Any

from botocore.session import get_session
from upath import UPath


@dataclass
class Told:
    """A bucket and its queue."""

    bucket: UPath
    endpoint: str
    url: str
    sqs: Any

    def put(self, key: str, data: bytes | str) -> UPath:
        path = self.bucket / key
        path.fs.pipe_file(path.path, data if isinstance(data, bytes) else data.encode())
        return path

    def send(self, body: Any) -> None:
        """A message from somewhere else."""
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body if isinstance(body, str) else json.dumps(body))

    def lose(self) -> None:
        """Take out whatever can be seen."""
        while found := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])

    def left(self) -> int:
        """Messages that are in the queue, whether they can be seen or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


def event(bucket: str, *keys: str) -> dict[str, Any]:
    """What a bucket tells of new objects; keys are as they stand in it, encoded."""
    records = [
        {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": key}}} for key in keys
    ]
    return {"Records": records}


def told(bucket: UPath, endpoint: str) -> Told:
    """Let a bucket tell a queue of its own. What was received is not seen again in a test's time."""
    session = get_session()
    sqs, s3 = (session.create_client(name, endpoint_url=endpoint, region_name="us-east-1") for name in ("sqs", "s3"))
    about = {"VisibilityTimeout": "600"}
    url = sqs.create_queue(QueueName=f"q-{bucket.drive}", Attributes=about)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    configuration = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=bucket.drive, NotificationConfiguration=configuration)
    return Told(bucket, endpoint, url, sqs)
