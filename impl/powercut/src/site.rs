//! One site whose store lies on the disk that forgets. One, for a peer would give back what this one lost.

use crate::{
    disk::{Dropped, Keep},
    mount::mount,
    power::Power,
    processes::{Cluster, Process, binary, client::Client, get},
};
use fuser::BackgroundSession;
use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a site may take to answer after a cut: it repairs its database, unoptimised.
const START_MAX: Duration = Duration::from_mins(1);
/// How often it is looked whether the power is gone: the process runs on for so long, as what was sent already does.
const LOOK_EVERY: Duration = Duration::from_millis(1);

pub(crate) struct Site {
    pub(crate) power: Arc<Power>,
    cluster: Cluster,
    disk: PathBuf,
    process: Option<Process>,
    session: Option<BackgroundSession>,
    folder: TempDir,
}

/// How a start ended.
#[derive(PartialEq, Eq)]
pub(crate) enum Started {
    Answers,
    Cut,
}

impl Site {
    /// Makes its configuration beside the disk, and its data directory a folder that is not there yet on it.
    pub(crate) fn create(seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cluster = Cluster::create(&folder.path().join("cluster"), 1);
        let config = &cluster.sites[0].config;
        let text = fs::read_to_string(config).expect("init wrote it");
        let moved = text.replace("\"data\"", "\"disk/data\"");
        assert_ne!(text, moved, "the configuration names the data directory");
        fs::write(config, moved).expect("it is ours");
        let disk = config.with_file_name("disk");
        fs::create_dir(&disk).expect("it is not there yet");
        let power = Arc::new(Power::new(seed));
        Self { power, cluster, disk, process: None, session: None, folder }
    }

    /// A client of the site.
    pub(crate) fn client(&self) -> Client {
        self.cluster.client(0)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Power comes, with a cut after so many changes of the disk if one is to come before the site answers.
    pub(crate) async fn start(&mut self, cut_after: Option<u64>) -> Started {
        self.power.on(cut_after);
        self.session = Some(mount(self.power.clone(), &self.disk).expect("FUSE mounts"));
        let log = fs::File::create(self.log()).expect("a file for the log");
        let mut command = Command::new(binary());
        command.args(["serve", "--config"]).arg(&self.cluster.sites[0].config);
        let child = command.stdout(log.try_clone().expect("a file")).stderr(log).spawn();
        self.process = Some(Process(child.expect("the binary runs")));
        let began = Instant::now();
        // Asked on a thread of its own: a site without power listens and does not answer.
        let admin = self.cluster.sites[0].admin;
        let ask = || tokio::task::spawn_blocking(move || get(admin, "/healthz", None));
        let mut asking = ask();
        loop {
            if self.power.is_cut() {
                return Started::Cut;
            }
            if asking.is_finished() {
                if (&mut asking)
                    .await
                    .expect("asking does not panic")
                    .is_some_and(|(status, _)| status == 200)
                {
                    return Started::Answers;
                }
                asking = ask();
            }
            assert!(began.elapsed() < START_MAX, "the site does not answer:\n{}", self.told());
            self.must_run();
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What the process logged.
    pub(crate) fn told(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn must_run(&mut self) {
        let ended = self.process.as_mut().and_then(|process| process.0.try_wait().expect("it is our child"));
        assert!(ended.is_none(), "the site ended by itself, {}:\n{}", ended.unwrap_or_default(), self.told());
    }

    /// Waits until the power is gone.
    pub(crate) async fn cut_came(&mut self) {
        let began = Instant::now();
        while !self.power.is_cut() {
            assert!(began.elapsed() < START_MAX, "the cut never came:\n{}", self.told());
            self.must_run();
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Ends the process where it stands and drops what was not durable.
    pub(crate) fn cut(&mut self, keep: Keep) -> Dropped {
        self.end();
        self.power.forget(keep)
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            // A request that waits for the disk ends only with an answer, and the process is not to see one.
            let _ = process.0.kill();
            self.power.off();
            let _ = process.0.wait();
        }
        self.session = None;
    }

    /// How many files its bodies lie in.
    pub(crate) fn body_files(&self) -> usize {
        let folders = fs::read_dir(self.disk.join("data/bodies")).into_iter().flatten().flatten();
        folders.map(|folder| fs::read_dir(folder.path()).into_iter().flatten().count()).sum()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.end();
    }
}
