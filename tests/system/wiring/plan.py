"""What a plan would make: `terraform show -json` of it, as rules ask for it.

Resources are found by the address they have in the module. Documents in them (policies, patterns, containers), which
are text in a plan, are values here.
"""

import json
from collections.abc import Iterator
from typing import Any

MODULE = "module.caldp."
DOCUMENTS = {
    "aws_batch_job_definition": ["container_properties"],
    "aws_cloudwatch_event_rule": ["event_pattern"],
    "aws_iam_role": ["assume_role_policy"],
    "aws_iam_role_policy": ["policy"],
    "aws_kms_key": ["policy"],
    "aws_s3_bucket_policy": ["policy"],
    "aws_sns_topic_policy": ["policy"],
    "aws_sqs_queue_policy": ["policy"],
    "aws_sqs_queue_redrive_policy": ["redrive_policy"],
}


class Plan:
    """The resources by their addresses, documents made on the way, and which references its configuration makes."""

    def __init__(self, name: str, shown: dict[str, Any]) -> None:
        self.name = name
        root = shown["planned_values"]["root_module"]
        [module] = root["child_modules"]
        self.resources = {r["address"].removeprefix(MODULE): _understood(r) for r in module["resources"]}
        read = shown["prior_state"]["values"]["root_module"]["child_modules"][0]["resources"]
        # Policies for others than the module's own roles are data of its outputs.
        self.documents = {
            r["address"].partition("document.")[2]: json.loads(r["values"]["json"]) for r in read if r["type"] == "aws_iam_policy_document"
        }
        self.configuration = {
            r["address"]: r.get("expressions", {}) for r in shown["configuration"]["root_module"]["module_calls"]["caldp"]["module"]["resources"]
        }

    def __getitem__(self, address: str) -> dict[str, Any]:
        return self.resources[address]

    def all(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Resources of a type, by the key in their address, or by their whole name where there is but one."""
        for address, values in self.resources.items():
            if address.startswith(f"{kind}."):
                yield (address.split('"')[1] if '"' in address else address.partition(".")[2]), values

    def role(self, name: str) -> list[dict[str, Any]]:
        """The policies of one of the deployment's roles."""
        return [self[f'aws_iam_role_policy.all["{name}"]']["policy"]]

    def containers(self) -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
        """The job definitions' containers, each with its environment."""
        for name, definition in self.all("aws_batch_job_definition"):
            container = definition["container_properties"]
            yield name, container, {pair["name"]: pair["value"] for pair in container["environment"]}

    def rules(self) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        """EventBridge's rules with a pattern, each with the ARNs of its targets."""
        targets: dict[str, list[str]] = {}
        for _, target in self.all("aws_cloudwatch_event_target"):
            targets.setdefault(target["rule"], []).append(target.get("arn", ""))
        for name, rule in self.all("aws_cloudwatch_event_rule"):
            if rule["event_pattern"]:
                yield name, rule["event_pattern"], targets.get(rule["name"], [])

    def lambda_environment(self) -> dict[str, str]:
        [environment] = self["aws_lambda_function.trigger"]["environment"]
        variables: dict[str, str] = environment["variables"]
        return variables

    def refers(self, address: str, *path: str) -> set[str]:
        """What an argument of a resource is made of, where its value is known only later."""
        found: Any = self.configuration[address]
        for part in path:
            found = found[0][part] if isinstance(found, list) else found[part]
        return set(found["references"])


def _understood(resource: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = resource["values"]
    for name in DOCUMENTS.get(resource["type"], []):
        if values.get(name):
            values[name] = json.loads(values[name])
    return values
