//! The reasons AWS writes, and what each means: the one table that the causes of failures are read from.
//!
//! Sources: the names of errors in the ECS agent's source (`agent/dockerclient/dockerapi/errors.go`,
//! `agent/engine/errors.go`, `ecs-agent/api/errors/errors.go`), which it puts before a colon; the ECS
//! developer guide, "Stopped tasks error codes", for what the service and Fargate add; the AWS Batch user
//! guide, "Jobs stuck in a RUNNABLE status" and "Automated job retries", for reasons of jobs.

/// What a reason means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
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
    /// As [`Meaning::Infrastructure`], where the container told no exit code; one that did had ended by
    /// itself before.
    UnlessItEnded,
    /// The time limit was exceeded.
    TimeLimit,
    /// Somebody stopped it.
    Stopped,
    /// AWS's words for what other evidence explains.
    Nothing,
}

/// What AWS Batch puts before the reason for which it cancelled a job that waited too long.
const WAITED_TOO_LONG: &str = "Canceled by JobStateTimeLimit action due to reason: ";

/// What is said of a job of which AWS Batch says nothing any more: nobody's words but ours.
pub(super) const LOST: &str = "AWS Batch knows nothing of the job any more, and it left no result";

/// How reasons begin, and what those mean. The first that fits decides.
const REASONS: [(&str, Meaning); 55] = [
    (LOST, Meaning::Infrastructure),
    // AWS Batch, of jobs
    ("Job attempt duration exceeded timeout", Meaning::TimeLimit),
    ("Operator cancelled", Meaning::Stopped),
    ("Terminated via console", Meaning::Stopped),
    ("CAPACITY:", Meaning::Capacity),
    ("MISCONFIGURATION:", Meaning::Misconfiguration),
    ("JobDefinition", Meaning::Misconfiguration),
    ("Dependent Job failed", Meaning::Nothing),
    ("Array Child Job failed", Meaning::Nothing),
    // ECS, of tasks
    ("Host EC2 (instance", Meaning::HostLost),
    ("Your Spot Task was interrupted", Meaning::HostLost),
    ("SpotInterruption", Meaning::HostLost),
    ("TerminationNotice", Meaning::HostLost),
    ("ECS is performing maintenance", Meaning::HostLost),
    ("Capacity is unavailable", Meaning::Capacity),
    ("RESOURCE:", Meaning::Capacity),
    ("Task stopped by user", Meaning::Stopped),
    ("UserInitiated", Meaning::Stopped),
    ("Task failed to start", Meaning::UnlessItEnded),
    ("TaskFailedToStart", Meaning::UnlessItEnded),
    ("Essential container in task exited", Meaning::Nothing),
    ("EssentialContainerExited", Meaning::Nothing),
    (
        "Timeout waiting for network interface",
        Meaning::Infrastructure,
    ),
    ("InternalError", Meaning::Infrastructure),
    // the ECS agent, of containers
    ("OutOfMemoryError", Meaning::Memory),
    ("OutOfMemory", Meaning::Memory),
    ("CannotCreateContainer", Meaning::Infrastructure),
    ("CannotStartContainer", Meaning::Infrastructure),
    ("CannotInspectContainer", Meaning::Infrastructure),
    ("CannotPullContainer", Meaning::Infrastructure),
    ("CannotPullECRContainer", Meaning::Infrastructure),
    ("CannotPullImageManifest", Meaning::Infrastructure),
    ("CannotCreateVolume", Meaning::Infrastructure),
    ("CannotInspectVolume", Meaning::Infrastructure),
    ("CannotGetDockerclient", Meaning::Infrastructure),
    ("CannotGetDockerClientVersion", Meaning::Infrastructure),
    ("DockerTimeoutError", Meaning::Infrastructure),
    ("ContainerRuntime", Meaning::Infrastructure),
    ("ContainerNetworkingError", Meaning::Infrastructure),
    ("ContainerVanishedError", Meaning::Infrastructure),
    ("NoSuchContainerError", Meaning::Infrastructure),
    ("ResourceInitializationError", Meaning::Infrastructure),
    ("ImpossibleStateTransitionError", Meaning::Infrastructure),
    ("TaskStoppedBeforePullBeginError", Meaning::Infrastructure),
    // the agent's failures at things that say nothing of a container that has ended
    ("CannotStopContainer", Meaning::UnlessItEnded),
    ("CannotRemove", Meaning::UnlessItEnded),
    ("CannotDescribeContainer", Meaning::UnlessItEnded),
    ("CannotList", Meaning::UnlessItEnded),
    ("CannotGetContainerTop", Meaning::UnlessItEnded),
    ("DockerStateError", Meaning::UnlessItEnded),
    ("UnknownError", Meaning::UnlessItEnded),
    // what the job definition asks for and the agent refuses
    ("HostConfigError", Meaning::Misconfiguration),
    ("DockerClientConfigError", Meaning::Misconfiguration),
    ("InvalidVolumeError", Meaning::Misconfiguration),
    ("TaskDependencyError", Meaning::Misconfiguration),
];

/// What a reason means; none for words that are not AWS's.
pub(super) fn meaning(reason: &str) -> Option<Meaning> {
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
        assert_eq!(capacity, Some(Meaning::Capacity));
        let wrong = canceled("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT");
        assert_eq!(wrong, Some(Meaning::Misconfiguration));
        assert_eq!(meaning("the wrong context, stop it"), None);
    }
}
