//! The reasons AWS writes, and what each means: the one table that the causes of failures are read from.
//!
//! Sources: the names of errors in the ECS agent's source (`agent/dockerclient/dockerapi/errors.go`,
//! `agent/engine/errors.go`, `ecs-agent/api/errors/errors.go`), which it puts before a colon; the ECS
//! developer guide, "Stopped tasks error codes", for what the service and Fargate add; the AWS Batch user
//! guide, "Jobs stuck in a RUNNABLE status" and "Automated job retries", for reasons of jobs.

/// What a reason means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReasonKind {
    /// The container had too little memory.
    Memory,
    /// The machine was taken away: spot, or the host ended.
    HostLost,
    /// No machine could be had.
    Capacity,
    /// What the deployment asks for cannot be had, however often it is tried.
    Misconfiguration,
    /// The machine, the container runtime or the registry failed.
    Infrastructure,
    /// As [`ReasonKind::Infrastructure`], where the container told no exit code; one that did had ended by
    /// itself before.
    UnlessItEnded,
    /// The time limit was exceeded.
    TimeLimit,
    /// Somebody stopped it.
    Stopped,
    /// AWS's words for what other evidence explains.
    Nothing,
}

use ReasonKind::{
    Capacity, HostLost, Infrastructure, Memory, Misconfiguration, Nothing, Stopped, TimeLimit,
    UnlessItEnded,
};

/// What AWS Batch puts before the reason for which it cancelled a job that waited too long.
const WAITED_TOO_LONG: &str = "Canceled by JobStateTimeLimit action due to reason: ";

/// What is said of a job of which AWS Batch says nothing any more: nobody's words but ours.
pub(super) const LOST: &str = "AWS Batch knows nothing of the job any more, and it left no result";

/// How reasons begin, and what those mean. The first that fits decides.
const REASONS: [(&str, ReasonKind); 55] = [
    (LOST, Infrastructure),
    // AWS Batch, of jobs
    ("Job attempt duration exceeded timeout", TimeLimit),
    ("Operator cancelled", Stopped),
    ("Terminated via console", Stopped),
    ("CAPACITY:", Capacity),
    ("MISCONFIGURATION:", Misconfiguration),
    ("JobDefinition", Misconfiguration),
    ("Dependent Job failed", Nothing),
    ("Array Child Job failed", Nothing),
    // ECS, of tasks
    ("Host EC2 (instance", HostLost),
    ("Your Spot Task was interrupted", HostLost),
    ("SpotInterruption", HostLost),
    ("TerminationNotice", HostLost),
    ("ECS is performing maintenance", HostLost),
    ("Capacity is unavailable", Capacity),
    ("RESOURCE:", Capacity),
    ("Task stopped by user", Stopped),
    ("UserInitiated", Stopped),
    ("Task failed to start", UnlessItEnded),
    ("TaskFailedToStart", UnlessItEnded),
    ("Essential container in task exited", Nothing),
    ("EssentialContainerExited", Nothing),
    ("Timeout waiting for network interface", Infrastructure),
    ("InternalError", Infrastructure),
    // the ECS agent, of containers
    ("OutOfMemoryError", Memory),
    ("OutOfMemory", Memory),
    ("CannotCreateContainer", Infrastructure),
    ("CannotStartContainer", Infrastructure),
    ("CannotInspectContainer", Infrastructure),
    ("CannotPullContainer", Infrastructure),
    ("CannotPullECRContainer", Infrastructure),
    ("CannotPullImageManifest", Infrastructure),
    ("CannotCreateVolume", Infrastructure),
    ("CannotInspectVolume", Infrastructure),
    ("CannotGetDockerclient", Infrastructure),
    ("CannotGetDockerClientVersion", Infrastructure),
    ("DockerTimeoutError", Infrastructure),
    ("ContainerRuntime", Infrastructure),
    ("ContainerNetworkingError", Infrastructure),
    ("ContainerVanishedError", Infrastructure),
    ("NoSuchContainerError", Infrastructure),
    ("ResourceInitializationError", Infrastructure),
    ("ImpossibleStateTransitionError", Infrastructure),
    ("TaskStoppedBeforePullBeginError", Infrastructure),
    // the agent's failures at things that say nothing of a container that has ended
    ("CannotStopContainer", UnlessItEnded),
    ("CannotRemove", UnlessItEnded),
    ("CannotDescribeContainer", UnlessItEnded),
    ("CannotList", UnlessItEnded),
    ("CannotGetContainerTop", UnlessItEnded),
    ("DockerStateError", UnlessItEnded),
    ("UnknownError", UnlessItEnded),
    // what the job definition asks for and the agent refuses
    ("HostConfigError", Misconfiguration),
    ("DockerClientConfigError", Misconfiguration),
    ("InvalidVolumeError", Misconfiguration),
    ("TaskDependencyError", Misconfiguration),
];

/// What a reason means; none for words that are not AWS's.
pub(super) fn meaning(reason: &str) -> Option<ReasonKind> {
    let reason = reason.strip_prefix(WAITED_TOO_LONG).unwrap_or(reason);
    let mut known = REASONS.into_iter();
    known
        .find(|(start, _)| reason.starts_with(start))
        .map(|(_, meaning)| meaning)
}

/// Whether AWS Batch cancelled a job because it waited too long.
pub(super) fn is_of_waiting(reason: &str) -> bool {
    reason.starts_with(WAITED_TOO_LONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_hidden_by_one_before_it() {
        for (start, expected) in REASONS {
            assert_eq!(meaning(start), Some(expected), "{start}");
        }
    }

    #[test]
    fn the_reason_of_a_job_that_waited_too_long_is_the_one_it_waited_for() {
        let canceled = |reason: &str| meaning(&format!("{WAITED_TOO_LONG}{reason}"));
        let capacity = canceled("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY");
        assert_eq!(capacity, Some(ReasonKind::Capacity));
        let wrong = canceled("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT");
        assert_eq!(wrong, Some(ReasonKind::Misconfiguration));
        assert_eq!(meaning("the wrong context, stop it"), None);
    }
}
