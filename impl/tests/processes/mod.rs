//! Whole sites as real processes: a cluster made by `init`, on loopback, with files in a temporary folder; and a client.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the tests are outside the seams: they drive real processes"
)]
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod client;
pub(crate) mod link;

use std::{
    env,
    ffi::OsString,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// Names of sites.
const NAMES: [&str; 3] = ["eu", "us", "ap"];

/// A process that is killed when the test ends.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Ends it as a power cut of the process would: nothing is flushed, nobody is told.
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("it was running");
        self.0.wait().expect("a child can be awaited");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The binary under test: that of this build, or for tests outside of the workspace the one named by ANABRANCH_BINARY.
pub(crate) fn binary() -> OsString {
    let built = option_env!("CARGO_BIN_EXE_anabranch").map(OsString::from);
    built.or_else(|| env::var_os("ANABRANCH_BINARY")).expect("ANABRANCH_BINARY names the binary")
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().expect("the binary runs")
}

/// What a command said, without the breaks of its lines.
pub(crate) fn text(output: &Output) -> String {
    let all = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    all.replace('│', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Free addresses on loopback.
fn addresses(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

/// One site of a cluster.
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) config: PathBuf,
    pub(crate) s3: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) peer: SocketAddr,
    pub(crate) token: String,
}

/// A cluster's folder.
pub(crate) struct Cluster {
    pub(crate) folder: PathBuf,
    pub(crate) sites: Vec<Site>,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl Cluster {
    /// Makes one of so many sites.
    pub(crate) fn create(folder: &Path, count: usize) -> Self {
        let peers = addresses(count);
        let given: Vec<String> =
            NAMES.iter().zip(&peers).map(|(name, address)| format!("--site={name}={address}")).collect();
        let mut arguments = vec!["init", folder.to_str().unwrap(), "--cluster", "test"];
        arguments.extend(given.iter().map(String::as_str));
        let made = run(&arguments);
        assert!(made.status.success(), "{}", text(&made));
        let (s3, admin) = (addresses(count), addresses(count));
        let mut sites = Vec::new();
        for (n, name) in NAMES.into_iter().enumerate().take(count) {
            let config = folder.join(name).join("anabranch.toml");
            let text = fs::read_to_string(&config)
                .unwrap()
                .replace("0.0.0.0:9000", &s3[n].to_string())
                .replace("127.0.0.1:9400", &admin[n].to_string())
                .replace(&format!("0.0.0.0:{}", peers[n].port()), &peers[n].to_string())
                .replace("/var/lib/anabranch", "data");
            fs::write(&config, text + "[store]\nreserve = \"1MiB\"\n[log]\nlevel = \"warn\"\n").unwrap();
            let token = fs::read_to_string(folder.join(name).join("admin.token")).unwrap();
            let (s3, admin, peer) = (s3[n], admin[n], peers[n]);
            sites.push(Site { name, config, s3, admin, peer, token: token.trim().to_owned() });
        }
        let keys = fs::read_to_string(folder.join("eu/keys.toml")).unwrap();
        let value = |name: &str| {
            let line = keys.lines().find(|line| line.starts_with(name)).unwrap();
            line.split('"').nth(1).unwrap().to_owned()
        };
        let (access_key, secret_key) = (value("access_key"), value("secret_key"));
        Self { folder: folder.to_owned(), sites, access_key, secret_key }
    }

    /// Starts a site; it may take a moment until it answers.
    pub(crate) fn serve(&self, site: usize) -> Process {
        let config = &self.sites[site].config;
        let child =
            Command::new(binary()).args(["serve", "--config"]).arg(config).stderr(Stdio::null()).spawn();
        Process(child.unwrap())
    }

    /// Starts a site and waits until it answers.
    pub(crate) fn start(&self, site: usize) -> Process {
        let process = self.serve(site);
        eventually("the site answers", || self.sites[site].get("/healthz", false));
        process
    }

    /// Starts all sites and waits until each is in sync with each.
    pub(crate) fn start_all(&self) -> Vec<Process> {
        let processes = (0..self.sites.len()).map(|site| self.start(site)).collect();
        self.await_sync();
        processes
    }

    /// Waits until each site is in sync with each; returns how long that took.
    pub(crate) fn await_sync(&self) -> Duration {
        let began = Instant::now();
        let is_in_sync =
            |site: &Site| site.status().is_some_and(|status| status.contains("\"in_sync\":true,\"peers\""));
        eventually("all sites are in sync", || self.sites.iter().all(is_in_sync).then_some(()));
        began.elapsed()
    }

    /// A client of a site.
    pub(crate) fn client(&self, site: usize) -> client::Client {
        client::Client::new(self.sites[site].s3, &self.access_key, &self.secret_key)
    }

    /// The body files at a site, with their lengths.
    pub(crate) fn body_files(&self, site: usize) -> Vec<(PathBuf, u64)> {
        fn walk(folder: &Path, found: &mut Vec<(PathBuf, u64)>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(meta) if meta.is_dir() => walk(&entry.path(), found),
                    Ok(meta) => found.push((entry.path(), meta.len())),
                    Err(_) => {} // removed meanwhile
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.folder.join(self.sites[site].name).join("data/bodies"), &mut found);
        found
    }
}

impl Site {
    /// A path of its admin face; none unless the answer is 200.
    pub(crate) fn get(&self, path: &str, with_token: bool) -> Option<String> {
        let token = if with_token { Some(&*self.token) } else { None };
        let (status, body) = get(self.admin, path, token)?;
        (status == 200).then_some(body)
    }

    /// Its account of itself, as JSON.
    pub(crate) fn status(&self) -> Option<String> {
        self.get("/api/v1/status", true)
    }
}

/// A path of an admin face; status and body.
pub(crate) fn get(address: SocketAddr, path: &str, token: Option<&str>) -> Option<(u16, String)> {
    let mut conn = TcpStream::connect(address).ok()?;
    conn.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    write!(conn, "GET {path} HTTP/1.1\r\nHost: x\r\n{token}Connection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    conn.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
}

/// Waits for something, at most a minute.
pub(crate) fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < Duration::from_mins(1) {
        if let Some(value) = check() {
            return value;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("never happened: {what}");
}
