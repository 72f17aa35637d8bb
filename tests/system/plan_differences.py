"""Whether a second plan is empty but for what the emulator is known to forget.

Reads `terraform show -json` of a plan; every change must be one of EXPLAINED, anything else is an error.
"""

import json
import sys

# moto 5.2.5: (type of resource, attribute): why a second plan sees a difference.
EXPLAINED = {
    ("aws_batch_job_queue", "job_state_time_limit_action"): "accepted and forgotten",
    ("aws_batch_compute_environment", "update_policy"): "accepted and forgotten",
    ("aws_batch_compute_environment", "compute_resources"): "the launch template's version, unknown while that changes",
    ("aws_launch_template", "tag_specifications"): "the template's own tags are answered as if they were the instances'",
    ("aws_launch_template", "latest_version"): "follows from the above",
    ("aws_lambda_function", "dead_letter_config"): "accepted and forgotten",
    ("aws_lambda_function", "last_modified"): "follows from the above",
    ("aws_lambda_function", "qualified_arn"): "follows from the above",
    ("aws_lambda_function", "qualified_invoke_arn"): "follows from the above",
    ("aws_lambda_function", "version"): "follows from the above",
    ("aws_s3_bucket_notification", "eventbridge"): "acted on, but not answered",
    ("aws_sqs_queue", "redrive_policy"): "answered with other white space",
}


def differing(change):
    before, after, unknown = change["before"] or {}, change["after"] or {}, change["after_unknown"] or {}
    for name in sorted(set(before) | set(after) | set(unknown)):
        if unknown.get(name) not in (None, False, {}, []) and _any(unknown[name]):
            yield name
        elif before.get(name) != after.get(name):
            yield name


def _any(value):
    if isinstance(value, dict):
        return any(_any(v) for v in value.values())
    if isinstance(value, list):
        return any(_any(v) for v in value)
    return bool(value)


def main():
    plan = json.load(sys.stdin)
    unexplained, explained = [], set()
    for resource in plan.get("resource_changes", []):
        actions = resource["change"]["actions"]
        if resource["mode"] != "managed" or actions == ["no-op"]:
            continue
        if actions != ["update"]:
            unexplained.append(f"{resource['address']}: {'/'.join(actions)}")
            continue
        for name in differing(resource["change"]):
            if (resource["type"], name) in EXPLAINED:
                explained.add((resource["type"], name))
            else:
                unexplained.append(f"{resource['address']}: {name}")
    for key in sorted(explained):
        print(f"second plan: {key[0]}.{key[1]}: {EXPLAINED[key]}")
    for line in unexplained:
        print(f"second plan: UNEXPLAINED {line}", file=sys.stderr)
    sys.exit(bool(unexplained))


main()
