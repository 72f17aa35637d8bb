"""The story of the system test, told to the emulators and checked on what they hold afterwards.

    scenario.py prepare    buckets with the CRDS cache and the raw datasets; prints the ARN of Batch's role
    scenario.py run        a batch list is put into the bucket; products, messages, record, verdict
    scenario.py broken     one dataset with a worker that is broken: this must fail, and says how
    scenario.py bucket     the bucket for results, where no infrastructure makes it
    scenario.py processed <prefix> <dataset>    looks at the results of a run by hand

Sequence and waiting are here; the engine, the emulator and Terraform are run.py's. moto 5.2.5 carries
events as the infrastructure says: from the bucket to the queue, from the bucket and other sources through
EventBridge's rules to the queue, from the queue to the Lambda, which it runs in a container before it
answers the request that began it all. What it leaves out is played here and says so:
AWS Batch's events, the schedule, and second deliveries.
"""

import json
import pathlib
import sys
import time
import uuid

import boto3
from botocore.config import Config

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures"
BUCKET, CRDS, INPUTS = "caldp-system", "caldp-crds", "caldp-inputs"
GOOD = ["lbgu17qnq", "lbgu19qaq", "lcxv13040"]
BROKEN = "lbgu18010"  # its archive is cut short at first
LOGS = ["process.txt", "preview.txt", "process_metrics.txt", "preview_metrics.txt", "provenance.json"]
JOB_SECONDS = 600
EVENT_FIELDS = ["jobArn", "jobName", "jobId", "jobQueue", "status", "createdAt", "startedAt", "stoppedAt", "dependsOn",
                "jobDefinition", "parameters", "container", "timeout", "tags"]

# The emulator answers a request that invokes the Lambda when the Lambda is done: no second request meanwhile.
patient = Config(s3={"addressing_style": "path"}, read_timeout=300, retries={"total_max_attempts": 1})
s3 = boto3.client("s3", config=patient)
batch = boto3.client("batch")
events = boto3.client("events", config=patient)
sqs = boto3.client("sqs")
patient_sqs = boto3.client("sqs", config=patient)
logs = boto3.client("logs")
manifest = json.loads((FIXTURES / "manifest.json").read_text())


class Unexpected(Exception):
    """Something is not as it must be."""


def check(holds, what):
    if not holds:
        raise Unexpected(what)


def say(text):
    print(f"scenario: {text}", file=sys.stderr, flush=True)


def keys(bucket, prefix=""):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {o["Key"]: o["Size"] for page in pages for o in page.get("Contents", [])}


def read(key, bucket=BUCKET):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def archive(dataset):
    return (FIXTURES / "raw" / f"{dataset}.tar.gz").read_bytes()


def prepare():
    for bucket in (CRDS, INPUTS):
        s3.create_bucket(Bucket=bucket)
    for part in ("config", "pickles", "references"):
        for path in sorted((FIXTURES / "crds" / part).rglob("*")):
            if path.is_file():
                s3.upload_file(str(path), CRDS, str(path.relative_to(FIXTURES / "crds")))
    for dataset in GOOD:
        s3.put_object(Bucket=INPUTS, Key=f"raw/{dataset}.tar.gz", Body=archive(dataset))
    whole = archive(BROKEN)
    s3.put_object(Bucket=INPUTS, Key=f"raw/{BROKEN}.tar.gz", Body=whole[: len(whole) // 2])
    role = boto3.client("iam").create_role(RoleName="batch-service", AssumeRolePolicyDocument="{}")
    print(role["Role"]["Arn"])


def submit(name, datasets):
    """Puts a list into the bucket; answers the new jobs by dataset and the place of the batch."""
    known = known_jobs()
    text = "# of the system test\n" + "".join(f"{d.upper()}\n" for d in datasets)
    s3.put_object(Bucket=BUCKET, Key=f"batches/{name}.ids", Body=text.encode())
    new = new_jobs(known, len(datasets))
    for job in new:
        check(job["container"]["command"][0] == "caldp-process-aws", f"a job's command is {job['container']['command']}")
    roots = {job["container"]["command"][1] for job in new}
    check(len(roots) == 1, f"one batch writes to {roots}")
    root = roots.pop().removeprefix(f"s3://{BUCKET}/").rstrip("/") + "/"
    jobs = {job["container"]["command"][2]: job["jobId"] for job in new}
    check(sorted(jobs) == sorted(datasets), f"the jobs are for {sorted(jobs)}")
    return jobs, root


def known_jobs():
    return {job["jobId"] for job in all_jobs()}


def new_jobs(known, count):
    """Waits until there are so many jobs besides the known ones."""
    deadline = time.monotonic() + 120
    while True:
        new = [job for job in all_jobs() if job["jobId"] not in known]
        if len(new) == count:
            return new
        if time.monotonic() > deadline:
            print("\n".join(line[:300] for line in lambda_log()[-40:]), file=sys.stderr)
            raise Unexpected(f"the Lambda was to submit {count} jobs, there are {len(new)}")
        time.sleep(1)


def all_jobs():
    ids, codes = [], {}
    for gib in (2, 8, 16, 64):
        for status in ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED"):
            listed = batch.list_jobs(jobQueue=f"caldp-{gib}g", jobStatus=status)["jobSummaryList"]
            ids += [job["jobId"] for job in listed]
            # The emulator tells exit codes in lists, not in descriptions.
            codes |= {job["jobId"]: job["container"] for job in listed if "container" in job}
    ids = list(dict.fromkeys(ids))  # a job may have moved on between two listings
    found = []
    for at in range(0, len(ids), 100):
        found += batch.describe_jobs(jobs=ids[at : at + 100])["jobs"]
    return [{**job, "container": job.get("container", {}) | codes.get(job["jobId"], {})} for job in found]


def lambda_log():
    group = "/aws/lambda/caldp-trigger"
    lines = []
    for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]:
        lines += [e["message"] for e in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]]
    return lines


def job_log(job):
    """The log of a job, from whichever group the emulator keeps it in."""
    for group in ("/caldp/jobs", "/aws/batch/job"):
        try:
            found = logs.get_log_events(logGroupName=group, logStreamName=job["container"]["logStreamName"])
            return [event["message"] for event in found["events"]]
        except logs.exceptions.ResourceNotFoundException:
            continue
    return []


def wait(jobs):
    """Waits for the end of jobs; answers them as AWS describes them."""
    deadline = time.monotonic() + JOB_SECONDS
    while True:
        ended = {j["jobId"]: j for j in all_jobs() if j["status"] in ("SUCCEEDED", "FAILED")}
        if all(job in ended for job in jobs.values()):
            return {dataset: ended[job] for dataset, job in jobs.items()}
        if time.monotonic() > deadline:
            raise Unexpected(f"after {JOB_SECONDS} s {len(ended)} of {len(jobs)} jobs have ended")
        time.sleep(1)


def tell(job):
    """The event AWS Batch sends at a job's end, in the form AWS documents; the emulator's Batch sends none. From
    here on everything is the emulator's: EventBridge's rule, the queue, the Lambda.
    """
    say(f"stand-in for AWS Batch's events: job {job['jobName']} {job['status']}, told to EventBridge")
    ended = {k: job["container"][k] for k in ("exitCode", "reason", "logStreamName") if k in job["container"]}
    reason = job.get("statusReason", "Essential container in task exited")
    detail = {k: job[k] for k in EVENT_FIELDS if k in job}
    detail |= {"statusReason": reason, "attempts": [{"container": ended, "statusReason": reason}]}
    answer = events.put_events(Entries=[{
        "Source": "aws.batch",
        "DetailType": "Batch Job State Change",
        "Resources": [job.get("jobArn", "")],
        "Detail": json.dumps(detail, default=str),
    }])
    check(answer["FailedEntryCount"] == 0, f"EventBridge refused the event: {answer}")


def states(root, dataset):
    found = [k for k in keys(BUCKET, f"{root}messages/") if k.endswith(f"/{dataset}")]
    return sorted(k.removeprefix(f"{root}messages/").split("/")[0] for k in found)


def check_processed(root, dataset):
    """Everything a calibrated dataset must have left in the bucket."""
    folder = f"{root}data/cos/{dataset}/"
    have = keys(BUCKET, folder)
    names = {k.removeprefix(folder): size for k, size in have.items()}
    for product in manifest["datasets"][dataset]["products"]:
        check(product in names, f"{dataset}: the product {product} is not in the bucket")
        if product.endswith(".fits"):
            check(names[product] > 0 and names[product] % 2880 == 0, f"{dataset}: {product} is no whole FITS file")
    for log in LOGS:
        check(f"logs/{log}" in names, f"{dataset}: logs/{log} is missing")
    check(names["logs/process.txt"] > 0, f"{dataset}: process.txt is empty")
    record = json.loads(read(f"{folder}logs/provenance.json"))
    check(record["context"] in manifest["contexts"], f"{dataset}: unknown context {record['context']}")
    image = record["worker"].get("image")
    check(image == "caldp:system", f"{dataset}: the record names the image {image!r}")
    if any("x1d" in p for p in manifest["datasets"][dataset]["products"]):
        check(any(n.startswith("previews/") and n.endswith(".png") for n in names), f"{dataset}: there is no preview")
    check(states(root, dataset) == ["dataset-processed"], f"{dataset}: its state is {states(root, dataset)}")


def adapt():
    """Where the emulator knows less than AWS. It ignores the conditions of a bucket's policy, so that "only TLS"
    refuses everything; and a scheduled rule, which has no pattern, passes on every event there is. Both are looked
    at, then put aside.
    """
    policy = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    tls = [t for t in policy["Statement"] if t["Effect"] == "Deny" and t["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}]
    check(tls, "the bucket's policy does not insist on TLS")
    s3.delete_bucket_policy(Bucket=BUCKET)
    check(events.describe_rule(Name="caldp-overview")["ScheduleExpression"], "the overview has no schedule")
    targets = events.list_targets_by_rule(Rule="caldp-overview")["Targets"]
    check([t["Arn"].split(":")[-1] for t in targets] == ["caldp-events"], f"the schedule's targets are {targets}")
    events.remove_targets(Rule="caldp-overview", Ids=[t["Id"] for t in targets])


def deliver_again(key):
    """S3's event of a list a second time, in the form AWS documents. Of a creation the emulator's first event and
    this one have to bear the same mark, which AWS calls the sequencer; the submission remembers it.
    """
    say("stand-in for S3's second delivery: the list's event is put into the queue again")
    requests = [k for k in keys(BUCKET, "control/") if k.endswith("/request.json")]
    check(len(requests) == 1, f"records of submissions: {requests}")
    origin = json.loads(read(requests[0]))["origin"]
    check(origin.startswith(f"{BUCKET}/{key}#"), f"the submission's origin is {origin}")
    record = {
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": "ObjectCreated:Put", "userIdentity": {"principalId": "EXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "EXAMPLE", "x-amz-id-2": "EXAMPLE"},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "batches",
            "bucket": {"name": BUCKET, "ownerIdentity": {"principalId": "EXAMPLE"}, "arn": f"arn:aws:s3:::{BUCKET}"},
            "object": {"key": key, "size": 1, "eTag": "0" * 32, "sequencer": origin.partition("#")[2]},
        },
    }
    url = sqs.get_queue_url(QueueName="caldp-events")["QueueUrl"]
    patient_sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Records": [record]}))


def tick():
    """The event EventBridge sends when a schedule's time has come."""
    say("stand-in for EventBridge's schedule: its event is put into the queue")
    rule = events.describe_rule(Name="caldp-overview")["Arn"]
    event = {"version": "0", "id": str(uuid.uuid4()), "detail-type": "Scheduled Event", "source": "aws.events",
             "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [rule], "detail": {}}
    url = sqs.get_queue_url(QueueName="caldp-events")["QueueUrl"]
    patient_sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))


def run():
    adapt()
    datasets = [*GOOD, BROKEN]
    started = time.monotonic()
    jobs, root = submit("system", datasets)
    say(f"the list was put; the Lambda submitted {len(jobs)} jobs in {time.monotonic() - started:.0f} s")
    records = [k for k in keys(BUCKET, f"{root}messages/batch-new/")]
    check(len(records) == 1, f"batch records: {records}")
    record = json.loads(read(records[0]))
    check(sorted(record["datasets"]) == sorted(datasets), f"the batch record lists {record['datasets']}")

    before = len(all_jobs())
    deliver_again("batches/system.ids")
    check(len(all_jobs()) == before, "the same event, delivered again, submitted jobs again")

    ended = wait(jobs)
    say(f"all jobs ended after {time.monotonic() - started:.0f} s")
    for dataset, job in sorted(ended.items()):
        wanted = "FAILED" if dataset == BROKEN else "SUCCEEDED"
        if job["status"] != wanted:
            print("\n".join(job_log(job)[-60:]), file=sys.stderr)
        check(job["status"] == wanted, f"{dataset}: its job {job['status']}, exit code {job['container'].get('exitCode')}")
    check(ended[BROKEN]["container"].get("exitCode") == 21, f"{BROKEN}: exit code {ended[BROKEN]['container'].get('exitCode')}, not 21")
    for dataset in (GOOD[0], BROKEN):
        tell(ended[dataset])

    for dataset in GOOD:
        check_processed(root, dataset)
        say(f"{dataset}: products, previews, logs and message are there")
    check(states(root, BROKEN) == ["dataset-error"], f"{BROKEN}: its state is {states(root, BROKEN)}")
    verdict = read(f"{root}messages/dataset-error/{BROKEN}").decode()
    check("21" in verdict, f"{BROKEN}: the message does not explain exit code 21: {verdict!r}")
    attempts = [k for k in keys(BUCKET) if k.endswith(f"control/{BROKEN}/attempts.json")]
    check(attempts, f"{BROKEN}: there is no record of attempts")
    say(f"{BROKEN}: verdict: {verdict[:200]}")
    rescue(root)
    tick()
    boards = [k for k in keys(BUCKET) if "blackboard/" in k]
    check(any(k.endswith("blackboard/overview.json") for k in boards), f"the overview: {boards}")
    say(f"the overview is written: {' '.join(boards)}")
    url = sqs.get_queue_url(QueueName="caldp-dead-letters")["QueueUrl"]
    dead = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    check(dead["Attributes"]["ApproximateNumberOfMessages"] == "0", "events ended in the dead-letter queue")


def rescue(root):
    """What an operator does about the verdict: mend the input, ask for another attempt."""
    known = known_jobs()
    s3.put_object(Bucket=INPUTS, Key=f"raw/{BROKEN}.tar.gz", Body=archive(BROKEN))
    s3.put_object(Bucket=BUCKET, Key=f"{root}messages/request-rescue/{BROKEN}", Body=b"")
    [job] = new_jobs(known, 1)
    ended = wait({BROKEN: job["jobId"]})[BROKEN]
    check(ended["status"] == "SUCCEEDED", f"{BROKEN}: its rescue {ended['status']}, exit code {ended['container'].get('exitCode')}")
    tell(ended)
    check_processed(root, BROKEN)
    say(f"{BROKEN}: rescued")


def broken():
    """One dataset, submitted by hand; the image's worker has been replaced by one that is broken."""
    dataset = GOOD[0]
    newest = max(batch.describe_job_definitions(jobDefinitionName="caldp-2g", status="ACTIVE")["jobDefinitions"], key=lambda d: d["revision"])
    job = batch.submit_job(jobName=f"broken-{uuid.uuid4().hex[:8]}", jobQueue="caldp-2g", jobDefinition=newest["jobDefinitionArn"],
                           parameters={"s3_output_path": f"s3://{BUCKET}/data/broken", "dataset": dataset})
    ended = wait({dataset: job["jobId"]})[dataset]
    check(ended["status"] == "SUCCEEDED", f"with a broken worker the job {ended['status']}, as it must")
    check_processed("data/broken/", dataset)


def make_bucket():
    s3.create_bucket(Bucket=BUCKET)


def main():
    steps = {"prepare": prepare, "run": run, "broken": broken, "bucket": make_bucket, "processed": check_processed}
    try:
        steps[sys.argv[1]](*sys.argv[2:])
    except Unexpected as problem:
        print(f"scenario: FAILED: {problem}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
