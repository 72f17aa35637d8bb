"""Whether each role of the deployment can do its work and nothing else, at an emulator that enforces what IAM decides:
signatures, assumed roles, their policies. The policies are those of a plan.

The emulator enforces S3, SQS, STS, Lambda and KMS, each where it is called. It does not ask for the rights to a key when
S3 or SQS uses it: those are shown by calls of KMS. AWS Batch it does not enforce, so nothing is submitted here.
"""

import json
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import function
from aws import Emulator
from progress import Failed, Progress, run
from wiring.calls import ACTIONS
from wiring.plan import Plan
from wiring.policy import as_list

BUCKET, OTHER = "caldp-system", "somebody-elses"
DATASET, OTHER_DATASET = "lbgu17qnq", "lbgu18010"
BATCH = "data/enforced"
OUTPUT = f"s3://{BUCKET}/{BATCH}"
# Of the policies that people may be given, by the names they have in the module.
PEOPLE = {"submit": "work", "look": "look", "sync": "sync", "requests": "requests"}

# A first look of `caldp sync` is over after this; and what it is told of is at home within this.
FIRST_LOOK_SECONDS, NEWS_SECONDS = 5, 60

# What a command says of its credentials when it is refused.
NOT_ALLOWED = "hint: check that the credentials are current and their role may do this"

Environment = dict[str, str]


class Permissions:
    """An emulator with the plan's roles in it, each with credentials of its own."""

    def __init__(self, progress: Progress, emulator: Emulator, plan: Plan) -> None:
        self._progress, self._emulator, self._plan = progress, emulator, plan
        root = client("s3", emulator.environment)
        emulator.script("scenario.py", "prepare", check=True, stdout=subprocess.DEVNULL)
        for bucket in (BUCKET, OTHER):
            root.create_bucket(Bucket=bucket)
        self._queue, self._site_queue = (
            client("sqs", emulator.environment).create_queue(QueueName=name)["QueueUrl"] for name in ("caldp-events", "caldp-site"))
        policies = {name: plan.role(name) for name in ("job", "trigger")}
        policies |= {name: [plan.documents[document]] for name, document in PEOPLE.items()}
        self.roles = {name: self.role(name, documents) for name, documents in policies.items()}

    def role(self, name: str, policies: list[dict[str, Any]]) -> Environment:
        """The environment of somebody who has taken on a role with these policies. Who may take it on is left out:
        here it is the account itself, on AWS a service."""
        iam, sts = (client(service, self._emulator.environment) for service in ("iam", "sts"))
        account = sts.get_caller_identity()["Account"]
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}]}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        for number, policy in enumerate(policies):
            # The plan is made for moto's account.
            text = json.dumps(as_enforced(policy)).replace("123456789012", account)
            iam.put_role_policy(RoleName=name, PolicyName=str(number), PolicyDocument=text)
        given = sts.assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"]
        return {**self._emulator.environment, "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"], "AWS_SESSION_TOKEN": given["SessionToken"]}

    def check_job(self, run_image: Callable[[Environment], None]) -> None:
        """A job delivers its dataset; it asks for nothing and sees no other bucket."""
        run_image(self.roles["job"])
        self._emulator.script("scenario.py", "processed", f"{BATCH}/", DATASET, check=True)
        s3 = client("s3", self.roles["job"])
        for key in (f"{BATCH}/messages/request-rescue/{DATASET}", f"{BATCH}/messages/request-clean/all", "messages/request-rescue/all",
                    f"{BATCH}/messages/broadcast/1", "messages/broadcast/1", "batches/more.ids"):
            refused(f"a job puts {key}", lambda key=key: s3.put_object(Bucket=BUCKET, Key=key, Body=b""))
        refused("a job looks into another bucket", lambda: s3.list_objects_v2(Bucket=OTHER))
        refused("a job takes events", lambda: client("sqs", self.roles["job"]).receive_message(QueueUrl=self._queue))
        self._progress.say("the job's role delivers a dataset, and can ask for nothing")

    def check_trigger(self, programs: Path) -> None:
        """The Lambda answers a list and a request that somebody else has put there, with messages from its queue."""
        bootstrap = self._progress.scratch / "permissions/bootstrap"
        with zipfile.ZipFile(programs) as file:
            file.extractall(bootstrap.parent)
        bootstrap.chmod(0o755)
        order = {"datasets": [OTHER_DATASET, DATASET], "batch_name": "enforced", "dry_run": True}
        [forecast] = [a for a in self._told(bootstrap, "batches/enforced.json", json.dumps(order)) if "dry_run" in a]
        if forecast["datasets"] != 2:
            raise Failed(f"the Lambda's forecast is {forecast}")
        self._told(bootstrap, f"{BATCH}/messages/request-clean/{DATASET}", "")
        left = [k for k in keys(client("s3", self._emulator.environment), f"{BATCH}/") if DATASET in k]
        if left:
            raise Failed(f"after cleaning {DATASET} there are {left}")
        refused("the Lambda looks into another bucket", lambda: client("s3", self.roles["trigger"]).list_objects_v2(Bucket=OTHER))
        self._progress.say("the Lambda's role takes its events, forecasts a list, cleans a dataset")

    def _told(self, bootstrap: Path, key: str, body: str) -> list[dict[str, Any]]:
        """What the Lambda answers to an object put by one who may ask."""
        client("s3", self.roles["requests"]).put_object(Bucket=BUCKET, Key=key, Body=body.encode())
        self._progress.say(f"stand-in for S3's notification and the mapping from the queue: {key} is told to the Lambda")
        notice = {"version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012",
                  "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [f"arn:aws:s3:::{BUCKET}"],
                  "detail": {"version": "0", "bucket": {"name": BUCKET}, "object": {"key": key, "size": len(body), "sequencer": "1"},
                             "reason": "PutObject"}}
        client("sqs", self._emulator.environment).send_message(QueueUrl=self._queue, MessageBody=json.dumps(notice))
        queue = client("sqs", self.roles["trigger"])
        [message] = queue.receive_message(QueueUrl=self._queue, WaitTimeSeconds=5)["Messages"]
        answer, log = function.invoke(bootstrap, function.queue_event(message), self.roles["trigger"] | self._plan.lambda_environment())
        if answer != {"batchItemFailures": []}:
            raise Failed(f"the Lambda answered {answer}\n{log[-2000:]}")
        queue.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return function.answers(log)

    def check_invocation(self, bootstrap: Path) -> None:
        """Who may ask may invoke the Lambda; a job and one who looks may not."""
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
        root = self._emulator.environment
        role = client("iam", root).create_role(RoleName="function", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        name = self._plan["aws_lambda_function.trigger"]["function_name"]
        client("lambda", root).create_function(FunctionName=name, Runtime="provided.al2023", Handler="bootstrap", Role=role,
                                               Code={"ZipFile": bootstrap.read_bytes()})
        for asker in ("job", "look", "sync"):
            refused(f"{asker} invokes the Lambda", lambda asker=asker: invoke(self.roles[asker], name))
        invoke(self.roles["requests"], name)
        self._progress.say("who may ask may invoke the Lambda, a job may not")

    def check_keys(self, plan: Plan) -> None:
        """With a key of one's own, in a plan that has one: each role may use it, and may not without its statement."""
        root = client("kms", self._emulator.environment)
        account = client("sts", self._emulator.environment).get_caller_identity()["Account"]
        statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"}
        key = root.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))["KeyMetadata"]["Arn"]
        policies = {name: plan.role(name) for name in ("job", "trigger")}
        policies |= {name: [plan.documents[document]] for name, document in PEOPLE.items()}
        [planned] = {queue["kms_master_key_id"] for _, queue in plan.all("aws_sqs_queue")}
        for name, documents in policies.items():
            own = json.loads(json.dumps(documents).replace(planned, key))
            without = [{**document, "Statement": [s for s in document["Statement"] if s.get("Sid") != "Key"]} for document in own]
            for kind, given in (("with", own), ("without", without)):
                kms = client("kms", self.role(f"{name}-{kind}-key", given))
                made = root.generate_data_key(KeyId=key, KeySpec="AES_256")["CiphertextBlob"]
                calls = {"GenerateDataKey": lambda kms=kms: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
                         "Decrypt": lambda kms=kms, made=made: kms.decrypt(KeyId=key, CiphertextBlob=made)}
                for operation, call in calls.items():
                    if kind == "with":
                        call()
                    else:
                        refused(f"{name} without the key's statement calls {operation}", call)
                refused(f"{name} disables the key", lambda kms=kms: kms.disable_key(KeyId=key))
        self._progress.say(f"{len(policies)} roles may use the deployment's key, and only use it; without its statement none may")

    def check_news(self, caldp: Path) -> None:
        """`caldp sync --queue` is told of a dataset that ends while it watches, brings it home and takes the message off."""
        site = self._progress.scratch / "told"
        sqs = client("sqs", self._emulator.environment)
        message = f"{BATCH}/messages/dataset-processed/{DATASET}"
        s3 = client("s3", self._emulator.environment)
        s3.delete_object(Bucket=BUCKET, Key=message.replace("processed", "synced"))
        # a day between looks: what it brings it brings because it was told
        command = [str(caldp), "sync", OUTPUT, str(site), "--watch", "86400", "--queue", self._site_queue]
        log = self._progress.log("sync")
        with log.open("w") as file, subprocess.Popen(command, env=self.roles["sync"], stdout=file, stderr=file) as sync:
            try:
                time.sleep(FIRST_LOOK_SECONDS)
                s3.put_object(Bucket=BUCKET, Key=message, Body=b"")
                sqs.send_message(QueueUrl=self._site_queue, MessageBody=json.dumps({"detail": {"object": {"key": message}}}))
                wait("the dataset at home", lambda: list(site.rglob(f"{DATASET}*.fits")))
                wait("an empty queue", lambda: waiting(sqs, self._site_queue) == 0)
            finally:
                sync.terminate()
        look = client("sqs", self.roles["look"])
        refused("one who looks takes news", lambda: look.receive_message(QueueUrl=self._site_queue))
        refused("who brings results home takes events", lambda: client("sqs", self.roles["sync"]).receive_message(QueueUrl=self._queue))
        self._progress.say("caldp sync --queue is told, brings the dataset home and takes the message off the queue")

    def check_people(self, caldp: Path) -> None:
        """Operators' commands with the policies that the module has for them, and without."""
        def does(role: str, *command: str, status: int = 0, says: str = "") -> None:
            env = {**self.roles[role], **self._plan.lambda_environment()}
            done = run(caldp, *command, env=env, capture_output=True)
            if done.returncode != status or says not in done.stderr:
                raise Failed(f"{' '.join(command)} as {role}: status {done.returncode}, wanted {status} and {says!r}:\n"
                             f"{done.stdout[-500:]}{done.stderr[-1500:]}")

        does("look", "status", OUTPUT)
        does("look", "explain", DATASET, "--output", OUTPUT)
        does("look", "page", OUTPUT)
        does("look", "sync", OUTPUT, str(self._progress.scratch / "nothing"), status=1, says="operator_policies.sync")
        does("sync", "sync", OUTPUT, str(self._progress.scratch / "site"))
        message = f"{BATCH}/messages/dataset-error/{OTHER_DATASET}"
        client("s3", self.roles["job"]).put_object(Bucket=BUCKET, Key=message, Body=b"")
        does("look", "clean", OTHER_DATASET, "--output", OUTPUT, status=1, says=NOT_ALLOWED)
        does("submit", "clean", OTHER_DATASET, "--output", OUTPUT)
        if message in keys(client("s3", self._emulator.environment), f"{BATCH}/messages/"):
            raise Failed(f"{message} is still there")
        s3 = client("s3", self.roles["look"])
        refused("one who looks deletes", lambda: s3.delete_object(Bucket=BUCKET, Key=f"{BATCH}/messages/dataset-processed/{DATASET}"))
        refused("one who looks puts a list", lambda: s3.put_object(Bucket=BUCKET, Key="batches/more.ids", Body=b""))
        # What the test is worth: without one statement, what has just worked is refused.
        without = [{**policy, "Statement": [s for s in policy["Statement"] if s.get("Sid") != "List"]} for policy in [self._plan.documents["look"]]]
        self.roles["blind"] = self.role("blind", without)
        does("blind", "status", OUTPUT, status=1, says=NOT_ALLOWED)
        forged = {**self.roles["look"], "AWS_SECRET_ACCESS_KEY": "another"}
        refused("a call signed with another secret", lambda: client("s3", forged).list_objects_v2(Bucket=BUCKET), "SignatureDoesNotMatch")
        self._progress.say("operators' policies serve their commands and no others")


def as_enforced(policy: dict[str, Any]) -> dict[str, Any]:
    """A policy in the words of the emulator, which asks for some of S3's operations by their own names, where IAM has one
    action for several; and for the deletion of many objects on their bucket, where IAM looks at each."""
    statements = []
    for statement in as_list(policy["Statement"]):
        actions = as_list(statement["Action"])
        more = [operation for operation, action in ACTIONS.items() if action in actions and operation.startswith("s3:")]
        statements.append({**statement, "Action": [*actions, *more]})
        if "s3:DeleteObjects" in more and statement["Effect"] == "Allow":
            buckets = sorted({resource.partition("/")[0] for resource in as_list(statement["Resource"])})
            statements.append({"Effect": "Allow", "Action": "s3:DeleteObjects", "Resource": buckets})
    return {**policy, "Statement": statements}


def client(service: str, env: Environment) -> Any:
    """A client with these credentials, and nothing of this process's environment."""
    return boto3.client(
        service, region_name="us-east-1", endpoint_url=env["AWS_ENDPOINT_URL"], aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"], aws_session_token=env.get("AWS_SESSION_TOKEN"),
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


def invoke(env: Environment, name: str) -> None:
    """Asks AWS Lambda whether the function may be invoked; it is not run."""
    client("lambda", env).invoke(FunctionName=name, InvocationType="DryRun")


def waiting(sqs: Any, queue: str) -> int:
    """How many messages a queue holds, those included that somebody has taken and not deleted."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def wait(what: str, there: Callable[[], Any]) -> None:
    deadline = time.monotonic() + NEWS_SECONDS
    while not there():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {NEWS_SECONDS} s")
        time.sleep(0.5)


def keys(s3: Any, prefix: str) -> list[str]:
    return [o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix) for o in page.get("Contents", [])]


def refused(what: str, call: Callable[[], Any], code: str = "AccessDenied") -> None:
    """Makes a call that must be refused. The emulator's code is longer than S3's."""
    try:
        call()
    except ClientError as problem:
        if problem.response["Error"]["Code"].startswith(code):
            return
        raise Failed(f"{what}: refused for another reason: {problem}") from None
    raise Failed(f"{what}: allowed")
