"""What the LocalStack test puts there and looks for: a second emulator, written by other people, has to
agree that one run of the image delivers a dataset, and that the bucket's events reach the queue.
"""

import json
import sys

from botocore.exceptions import ClientError

import scenario


def prepare():
    scenario.prepare()
    scenario.s3.create_bucket(Bucket=scenario.BUCKET)
    queue = scenario.sqs.create_queue(QueueName="caldp-events")["QueueUrl"]
    arn = scenario.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    scenario.s3.put_bucket_notification_configuration(
        Bucket=scenario.BUCKET,
        NotificationConfiguration={"QueueConfigurations": [{
            "QueueArn": arn,
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "batches/"}]}},
        }]},
    )


def check():
    scenario.check_processed("data/smoke/", "lbgu17qnq")
    claim = {"Bucket": scenario.BUCKET, "Key": "control/claim", "Body": b"", "IfNoneMatch": "*"}
    scenario.s3.put_object(**claim)
    try:
        scenario.s3.put_object(**claim)
        raise scenario.Unexpected("a claim was made twice")
    except ClientError as refused:
        scenario.check(refused.response["ResponseMetadata"]["HTTPStatusCode"] == 412, f"{refused}")
    scenario.s3.put_object(Bucket=scenario.BUCKET, Key="batches/smoke.ids", Body=b"lbgu17qnq\n")
    queue = scenario.sqs.get_queue_url(QueueName="caldp-events")["QueueUrl"]
    for _ in range(10):
        for message in scenario.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2).get("Messages", []):
            records = json.loads(message["Body"]).get("Records", [])
            if any(r["s3"]["object"]["key"] == "batches/smoke.ids" for r in records):
                scenario.say("LocalStack: dataset delivered, claim exclusive, event queued")
                return
    raise scenario.Unexpected("the bucket's event did not reach the queue")


try:
    {"prepare": prepare, "check": check}[sys.argv[1]]()
except scenario.Unexpected as problem:
    sys.exit(f"smoke: FAILED: {problem}")
