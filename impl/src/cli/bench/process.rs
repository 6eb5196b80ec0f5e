//! The server as a process of its own, so that its CPU time and memory are its own.

use crate::cli::{dev, init};
use miette::{IntoDiagnostic, WrapErr, bail};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long sites may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a process has used.
#[derive(Clone, Copy)]
pub(super) struct Usage {
    pub(super) cpu_s: f64,
    /// The most memory that it held, in bytes.
    pub(super) peak_rss: u64,
}

/// Sites started for the measurement; stopped, and their data removed, at its end.
pub(super) struct Server {
    child: Child,
    folder: PathBuf,
    pub(super) addresses: Vec<SocketAddr>,
    admin: SocketAddr,
}

impl Server {
    pub(super) fn start(sites: u16) -> miette::Result<Self> {
        let port = free_ports(sites)?;
        let folder = std::env::temp_dir().join(format!("anabranch-bench-{}", init::secret(6)));
        let binary = std::env::current_exe().into_diagnostic()?;
        let child = Command::new(binary)
            .args(["dev", "--sites", &sites.to_string(), "--port", &port.to_string(), "--dir"])
            .arg(&folder)
            .stdout(Stdio::null())
            .spawn()
            .into_diagnostic()
            .wrap_err("starting the sites failed")?;
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let addresses = (0..sites).map(|site| at(port + site)).collect();
        let mut server = Self { child, folder, addresses, admin: at(port + dev::ADMIN) };
        let began = Instant::now();
        while !server.folder.join("dev.env").exists() || !server.is_ready() {
            if server.child.try_wait().into_diagnostic()?.is_some() || began.elapsed() > PATIENCE {
                bail!("the sites did not come up; what they said stands above");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn is_ready(&self) -> bool {
        self.ask("/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// How often the first site has made a file durable since its start.
    pub(super) fn syncs(&self) -> u64 {
        let metrics = self.ask("/metrics").unwrap_or_default();
        let line = metrics.lines().find_map(|line| line.strip_prefix("anabranch_store_syncs_total "));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
    }

    fn ask(&self, path: &str) -> Option<String> {
        let mut conn = TcpStream::connect(self.admin).ok()?;
        write!(conn, "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        conn.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder); // what is left is in the temporary folder
    }
}

/// A port from which on all that `dev` listens at is free.
fn free_ports(sites: u16) -> miette::Result<u16> {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let all_free = |first: &u16| {
        (0..sites).all(|site| [0, dev::PEER, dev::ADMIN].iter().all(|above| is_free(first + above + site)))
    };
    match (20_000..30_000).step_by(10).find(all_free) {
        Some(port) => Ok(port),
        None => bail!("no free ports were found from 20000 to 30000"),
    }
}

/// What a process has used so far; none where the system does not tell.
pub(super) fn usage(pid: Option<u32>) -> Option<Usage> {
    let pid = pid?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks: fields are counted from behind it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(Usage { cpu_s: ticks as f64 / 100.0, peak_rss: peak_kib << 10 })
}
