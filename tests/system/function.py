"""The Lambda started by hand: an event of its queue in AWS's form, and one invocation of its program."""

import json
import pathlib
import subprocess
import sys

RUNTIME = pathlib.Path(__file__).with_name("lambda_runtime.py")
INVOCATION_SECONDS = 120


def queue_event(message):
    """A message as the mapping from the queue to the function hands it over: `message` as SQS answers it."""
    return {"Records": [{
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183",
                       "SenderId": "AIDAIENQZJOLO23YVJ4VO", "ApproximateFirstReceiveTimestamp": "1545082649185"},
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:caldp-events",
        "awsRegion": "us-east-1",
    }]}


def invoke(bootstrap, event, environment):
    """Its answer, and its log: one record a line."""
    environment = environment | {
        "LAMBDA_TASK_ROOT": str(pathlib.Path(bootstrap).parent), "AWS_LAMBDA_FUNCTION_NAME": "caldp-trigger",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": "test", "AWS_LAMBDA_LOG_STREAM_NAME": "test", "NO_COLOR": "1", "RUST_LOG": "info",
    }
    done = subprocess.run([sys.executable, RUNTIME, "bootstrap", json.dumps(event)], env=environment, capture_output=True, text=True,
                          timeout=INVOCATION_SECONDS)
    answer = json.loads(done.stdout.splitlines()[-1])
    return (answer if done.returncode == 0 else {"failed": answer}), done.stderr


def answers(log):
    """What the log says the function has answered to each message; an answer in words is left out."""
    told = [record["answer"] for record in map(json.loads, log.splitlines()) if "answer" in record]
    return [json.loads(answer) for answer in told if answer.startswith("{")]
