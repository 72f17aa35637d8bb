#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::os::unix::fs::symlink;
use std::process::Command;
use std::thread;

use storage::checksum::Sha1Sum;
use tempfile::TempDir;

use super::*;

const LIMIT: u64 = 1000;

/// A shared folder, and the cache of a job's own.
struct Job {
    shared: SharedReferences,
    own: TempDir,
}

impl Job {
    fn new(folder: &Path, limit: u64) -> Self {
        Self {
            shared: SharedReferences::new(folder.to_owned(), limit),
            own: tempfile::tempdir().unwrap(),
        }
    }

    fn target(&self, name: &str) -> PathBuf {
        self.own.path().join(name)
    }

    fn take(&self, name: &str, content: &[u8]) -> Taken {
        let name_ = name.parse().unwrap();
        self.shared
            .take(&name_, expected(content), &self.target(name))
    }

    /// Brings a reference as a client does; whether it was fetched.
    fn bring(&self, name: &str, content: &[u8]) -> bool {
        let fetched = match self.take(name, content) {
            Taken::Copied(size) => {
                assert_eq!(size, content.len() as u64);
                false
            }
            Taken::Nothing(place) => {
                let target = self.target(name);
                fs::write(&target, content).unwrap();
                if let Some(place) = place {
                    let name = name.parse().unwrap();
                    self.shared.offer(place, &name, expected(content), &target);
                }
                true
            }
        };
        assert_eq!(fs::read(self.target(name)).unwrap(), content);
        fetched
    }
}

fn expected(content: &[u8]) -> Expected {
    Expected {
        size: Some(content.len() as u64),
        sha1: Some(Sha1Sum::of(content)),
        ..Expected::default()
    }
}

/// The references in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = SharedReferences::new(folder.to_owned(), 0)
        .entries()
        .unwrap();
    let mut names: Vec<String> = entries.iter().map(|entry| entry.name.to_string()).collect();
    names.sort();
    names
}

/// Makes a reference one that was used so many minutes ago.
fn used_before(folder: &Path, name: &str, minutes: u64) {
    let file = File::open(folder.join(name)).unwrap();
    let then = SystemTime::now() - Duration::from_mins(minutes);
    file.set_modified(then).unwrap();
}

#[test]
fn of_many_jobs_at_once_one_fetches() {
    let folder = tempfile::tempdir().unwrap();
    let fetched = thread::scope(|scope| {
        let job = || Job::new(folder.path(), LIMIT).bring("a_drk.fits", b"dark");
        let jobs: Vec<_> = (0..8).map(|_| scope.spawn(job)).collect();
        let fetched = jobs.into_iter().map(|job| job.join().unwrap());
        fetched.filter(|fetched| *fetched).count()
    });
    assert_eq!(fetched, 1);
    assert!(!Job::new(folder.path(), LIMIT).bring("a_drk.fits", b"dark"));
    assert_eq!(names(folder.path()), ["a_drk.fits"]);
}

#[test]
fn a_job_that_is_gone_leaves_its_place_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let gone = Job::new(folder.path(), LIMIT);
    let Taken::Nothing(Some(place)) = gone.take("a_drk.fits", b"dark") else {
        panic!("it is not there");
    };
    let next = thread::scope(|scope| {
        let next = scope.spawn(|| Job::new(folder.path(), LIMIT).bring("a_drk.fits", b"dark"));
        drop(place);
        next.join().unwrap()
    });
    assert!(next);
    // What it left half written is removed by whoever comes.
    fs::write(folder.path().join(".unfinished-a_drk.fits-x"), "da").unwrap();
    assert!(!Job::new(folder.path(), LIMIT).bring("a_drk.fits", b"dark"));
    assert!(!folder.path().join(".unfinished-a_drk.fits-x").exists());
}

#[test]
fn what_was_used_longest_ago_makes_room_unless_it_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(folder.path(), 10);
    for (name, minutes) in [("a.fits", 30), ("b.fits", 20), ("c.fits", 10)] {
        assert!(job.bring(name, b"123"));
        used_before(folder.path(), name, minutes);
    }
    // Used now, and so the newest.
    assert!(!Job::new(folder.path(), 10).bring("a.fits", b"123"));
    assert!(job.bring("d.fits", b"123"));
    assert_eq!(names(folder.path()), ["a.fits", "c.fits", "d.fits"]);
    // Somebody copies the oldest.
    let (reading, _) = job.shared.open(&"c.fits".parse().unwrap()).unwrap();
    used_before(folder.path(), "a.fits", 5);
    assert!(job.bring("e.fits", b"123"));
    assert_eq!(names(folder.path()), ["c.fits", "d.fits", "e.fits"]);
    drop(reading);
    // Nothing makes way for one that is larger than the limit.
    assert!(job.bring("large.fits", b"more than ten bytes"));
    assert_eq!(names(folder.path()), ["c.fits", "d.fits", "e.fits"]);
    // A smaller limit holds from the next job's start.
    let before = Job::new(folder.path(), 10);
    before.bring("f.fits", b"123");
    before.bring("g.fits", b"123");
    Job::new(folder.path(), 4).bring("g.fits", b"123");
    assert_eq!(names(folder.path()).len(), 1);
}

#[test]
fn what_is_not_what_crds_says_is_never_used_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a_drk.fits");
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("file");
    fs::write(&target, "mine").unwrap();
    let poison: [&dyn Fn(); 5] = [
        &|| fs::write(&path, "dork").unwrap(),
        &|| fs::write(&path, "dark and more").unwrap(),
        &|| fs::write(&path, "").unwrap(),
        &|| symlink(&target, &path).unwrap(),
        &|| {
            let made = Command::new("mkfifo").arg(&path).status();
            assert!(made.unwrap().success());
        },
    ];
    for poison in poison {
        let _ = fs::remove_file(&path);
        poison();
        assert!(Job::new(folder.path(), LIMIT).bring("a_drk.fits", b"dark"));
        assert!(path.symlink_metadata().unwrap().is_file());
        assert!(!Job::new(folder.path(), LIMIT).bring("a_drk.fits", b"dark"));
        assert_eq!(fs::read(&target).unwrap(), b"mine");
    }
    // A folder in its place cannot be replaced: each fetches its own.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    for _ in 0..2 {
        assert!(Job::new(folder.path(), LIMIT).bring("a_drk.fits", b"dark"));
    }
    // A link in the place of a lock makes no file elsewhere.
    let elsewhere = outside.path().join("made");
    symlink(&elsewhere, folder.path().join("b_drk.fits.lock")).unwrap();
    Job::new(folder.path(), LIMIT).bring("b_drk.fits", b"dark");
    assert!(!elsewhere.exists());
}

#[test]
fn a_reference_without_a_sum_is_not_shared() {
    let folder = tempfile::tempdir().unwrap();
    let job = Job::new(folder.path(), LIMIT);
    let size = Expected {
        size: Some(4),
        sha1: None,
        ..Expected::default()
    };
    let name = "a_drk.fits".parse().unwrap();
    fs::write(folder.path().join("a_drk.fits"), "dark").unwrap();
    let taken = job.shared.take(&name, size, &job.target("a_drk.fits"));
    assert!(matches!(taken, Taken::Nothing(None)));
}

#[test]
fn trouble_ends_sharing_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".file"), "").unwrap();
    let missing = Job::new(&folder.path().join(".file/none"), LIMIT);
    assert!(missing.bring("a_drk.fits", b"dark"));
    assert!(missing.shared.ended());
    // Another job keeps its lock for ever.
    let holder = Job::new(folder.path(), LIMIT);
    let Taken::Nothing(Some(_place)) = holder.take("a_drk.fits", b"dark") else {
        panic!("it is not there");
    };
    let mut waiting = Job::new(folder.path(), LIMIT);
    waiting.shared.patience = Duration::from_millis(20);
    assert!(waiting.bring("a_drk.fits", b"dark"));
    assert!(waiting.shared.ended());
    assert!(waiting.bring("b_drk.fits", b"dark"));
    assert!(names(folder.path()).is_empty());
}

/// A file system of its own that is gone with this.
struct Small(TempDir);

impl Small {
    /// `None` where none can be mounted.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        let mounted = mount.arg(folder.path()).output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_full_disk_each_job_fetches_its_own() {
    let Some(disk) = Small::mount("256k") else {
        eprintln!("left out: no file system can be mounted");
        return;
    };
    let folder = disk.0.path();
    let quarter = vec![1; 64 << 10];
    // The limit would let all in, the disk has no room for all: the oldest goes.
    for (name, minutes) in [("a.fits", 3), ("b.fits", 2), ("c.fits", 1)] {
        assert!(Job::new(folder, 1 << 30).bring(name, &quarter));
        used_before(folder, name, minutes);
    }
    assert!(Job::new(folder, 1 << 30).bring("d.fits", &quarter));
    assert!(!names(folder).contains(&"a.fits".to_owned()));
    // Others take what is left: the oldest goes for them, too, as soon as a job begins.
    fs::write(folder.join(".others"), vec![1; 200 << 10]).unwrap_err();
    assert!(Job::new(folder, 1 << 30).bring("e.fits", &quarter));
    assert!(names(folder).len() < 3);
    // They take nearly all: nothing is stored any more, and nothing fails.
    Job::new(folder, 0).shared.tidy();
    assert!(names(folder).is_empty());
    let _ = fs::write(folder.join(".more"), vec![1; 150 << 10]);
    assert!(Job::new(folder, 1 << 30).bring("e.fits", &quarter));
    assert!(names(folder).is_empty());
    // Not even a lock fits.
    let file = |n: &u32| fs::write(folder.join(format!(".file-{n}")), "x").is_ok();
    assert!((0..100_000).take_while(file).count() < 100_000);
    assert!(Job::new(folder, 1 << 30).bring("f.fits", &quarter));
}
