"""What the LocalStack test puts there and looks for: a second emulator, written by other people, has to
agree that one run of the image delivers a dataset, that the bucket's events reach the queue, and that
the Lambda acts on them.

    smoke.py prepare            buckets, the queue, and both ways from the bucket to it
    smoke.py check <bootstrap>  what the worker has delivered; what the Lambda makes of two events
"""

import json
import os
import sys
import time

from botocore.exceptions import ClientError

import function
import scenario
from scenario import BUCKET, Unexpected, check, say

DATASET = "lbgu17qnq"
TREE = "data/smoke/"
# A dataset whose name begins with the other's is no dataset; a file beside its folder is as near as can be.
NEIGHBOUR = f"{TREE}data/cos/{DATASET}-notes/keep.txt"


def prepare():
    scenario.prepare()
    scenario.make_bucket()
    queue = scenario.sqs.create_queue(QueueName="caldp-events")["QueueUrl"]
    arn = scenario.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    scenario.events.put_rule(Name="caldp-request", EventPattern=json.dumps({
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [BUCKET]}, "object": {"key": [{"wildcard": "data/*messages/request-*"}]}},
    }))
    scenario.events.put_targets(Rule="caldp-request", Targets=[{"Id": "queue", "Arn": arn}])
    scenario.s3.put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={
            "QueueConfigurations": [{
                "QueueArn": arn,
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "batches/"}]}},
            }],
            "EventBridgeConfiguration": {},
        },
    )


def next_message(key):
    """The message that tells of an object, taken from the queue."""
    queue = scenario.sqs.get_queue_url(QueueName="caldp-events")["QueueUrl"]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for message in scenario.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2, MaxNumberOfMessages=1).get("Messages", []):
            scenario.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            if key in message["Body"]:
                return message
    raise Unexpected(f"the event of {key} did not reach the queue")


def invoke(bootstrap, message):
    """The Lambda's log of one message. LocalStack would have to download what it runs functions in."""
    say("stand-in for SQS's event source mapping: the message is handed to the Lambda in AWS's form")
    bins = ",".join(f"caldp-{n}g" for n in (2, 8, 16, 64))
    environment = os.environ | {"BUCKET": BUCKET, "JOBQUEUES": bins, "JOBDEFINITIONS": bins}
    answer, log = function.invoke(bootstrap, function.queue_event(message), environment)
    check(answer == {"batchItemFailures": []}, f"the Lambda answered {answer}\n{log[-2000:]}")
    return log


def look_at(bootstrap):
    scenario.check_processed(TREE, DATASET)
    claim = {"Bucket": BUCKET, "Key": "control/claim", "Body": b"", "IfNoneMatch": "*"}
    scenario.s3.put_object(**claim)
    try:
        scenario.s3.put_object(**claim)
        raise Unexpected("a claim was made twice")
    except ClientError as refused:
        check(refused.response["ResponseMetadata"]["HTTPStatusCode"] == 412, f"{refused}")
    say("the dataset is delivered, claims are exclusive")

    # A list that is only looked at: LocalStack has no Batch.
    order = {"datasets": ["lbgu18010", DATASET], "batch_name": "smoke", "dry_run": True}
    scenario.s3.put_object(Bucket=BUCKET, Key="batches/smoke.json", Body=json.dumps(order).encode())
    log = invoke(bootstrap, next_message("batches/smoke.json"))
    forecasts = [answer for answer in function.answers(log) if "dry_run" in answer]
    check(len(forecasts) == 1, f"no forecast: {log[-2000:]}")
    told = {name: forecasts[0][name] for name in ("batch", "s3_output_path", "datasets", "jobs")}
    wanted = {"batch": "smoke", "s3_output_path": f"s3://{BUCKET}/data/smoke", "datasets": 2, "jobs": 2}
    check(told == wanted, f"the forecast is {told}")
    written = list(scenario.keys(BUCKET, "control/"))
    check(written == ["control/claim"], f"a forecast has written {written}")
    say("a list reached the queue, and the Lambda forecasts it")

    scenario.s3.put_object(Bucket=BUCKET, Key=NEIGHBOUR, Body=b"keep")
    request = f"{TREE}messages/request-clean/{DATASET}"
    scenario.s3.put_object(Bucket=BUCKET, Key=request)
    invoke(bootstrap, next_message(request))
    left = [k for k in scenario.keys(BUCKET, TREE) if DATASET in k]
    check(left == [NEIGHBOUR], f"after cleaning {DATASET} there are {left}")
    say("a request went through EventBridge to the queue, and the Lambda cleaned what it named and nothing else")


try:
    {"prepare": prepare, "check": look_at}[sys.argv[1]](*sys.argv[2:])
except Unexpected as problem:
    sys.exit(f"smoke: FAILED: {problem}")
