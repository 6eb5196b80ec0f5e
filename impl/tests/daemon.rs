//! The daemon as operators meet it: a process with its commands, its admin face, and a cluster made by `init`.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the test is outside the seams: it drives real processes"
)]

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

const BINARY: &str = env!("CARGO_BIN_EXE_anabranch");

/// A process that is killed when the test ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().expect("the binary runs")
}

/// What a command said, without the breaks of its lines.
fn text(output: &Output) -> String {
    let all = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    all.replace("│", "").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Free addresses on loopback.
fn addresses<const N: usize>() -> [String; N] {
    let listeners: Vec<_> = (0..N).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    std::array::from_fn(|n| listeners[n].local_addr().unwrap().to_string())
}

/// A cluster of two sites in a folder, with addresses of its own. Returns the admin addresses.
fn cluster(folder: &Path) -> [String; 2] {
    let [a, b] = addresses();
    let [site_a, site_b] = [format!("eu={a}"), format!("us={b}")];
    let made =
        run(&["init", folder.to_str().unwrap(), "--cluster", "test", "--site", &site_a, "--site", &site_b]);
    assert!(made.status.success(), "{}", text(&made));
    let [s3_a, s3_b, admin_a, admin_b] = addresses();
    for (site, peer, s3, admin) in [("eu", &a, s3_a, &admin_a), ("us", &b, s3_b, &admin_b)] {
        let path = folder.join(site).join("anabranch.toml");
        let port = peer.rsplit_once(':').unwrap().1;
        let config = fs::read_to_string(&path)
            .unwrap()
            .replace("0.0.0.0:9000", &s3)
            .replace("127.0.0.1:9400", admin)
            .replace(&format!("0.0.0.0:{port}"), peer)
            .replace("/var/lib/anabranch", "data");
        fs::write(&path, config + "[store]\nreserve = \"1MiB\"\n").unwrap();
    }
    [admin_a, admin_b]
}

fn serve(folder: &Path, site: &str) -> Process {
    let config = folder.join(site).join("anabranch.toml");
    let child = Command::new(BINARY).args(["serve", "--config"]).arg(config).stderr(Stdio::piped()).spawn();
    Process(child.unwrap())
}

/// A path of an admin face; status and body.
fn get(address: &str, path: &str, token: Option<&str>) -> Option<(u16, String)> {
    let mut conn = TcpStream::connect(address).ok()?;
    conn.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let token = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    write!(conn, "GET {path} HTTP/1.1\r\nHost: x\r\n{token}Connection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    conn.read_to_string(&mut answer).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
}

fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        if let Some(value) = check() {
            return value;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("never happened: {what}");
}

#[test]
fn a_cluster_made_by_init_comes_up_says_how_it_stands_and_stops_when_told() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("cluster");
    let [admin, _] = cluster(&folder);
    let config = folder.join("eu/anabranch.toml");
    let config = config.to_str().unwrap();
    let checked = run(&["check-config", "--config", config]);
    assert!(checked.status.success(), "{}", text(&checked));
    let token = fs::read_to_string(folder.join("eu/admin.token")).unwrap();

    let (mut eu, us) = (serve(&folder, "eu"), serve(&folder, "us"));
    eventually("both are in sync", || run(&["status", "--config", config]).status.success().then_some(()));
    let shown = run(&["status", "--config", config]);
    assert!(text(&shown).starts_with("eu is in sync with us"), "{}", text(&shown));
    assert_eq!(get(&admin, "/healthz", None).unwrap().0, 200);
    assert_eq!(get(&admin, "/readyz", None).unwrap().0, 200);
    assert_eq!(get(&admin, "/api/v1/status", None).unwrap().0, 401);
    assert_eq!(get(&admin, "/api/v1/status", Some("wrong")).unwrap().0, 401);
    let status = get(&admin, "/api/v1/status", Some(token.trim())).unwrap().1;
    assert!(status.contains("\"in_sync\":true"), "{status}");
    let metrics = get(&admin, "/metrics", None).unwrap().1;
    assert!(metrics.contains("anabranch_peer_up{peer=\"us\"} 1.0"), "{metrics}");
    let listed = run(&["conflicts", "list", "--config", config]);
    assert_eq!(text(&listed), "0 keys in conflict");

    // A peer that is down is told of by status, and is no reason not to be ready.
    drop(us);
    let said = eventually("the link is seen to be down", || {
        let shown = run(&["status", "--config", config]);
        (shown.status.code() == Some(3)).then(|| text(&shown)).filter(|text| text.contains("link down"))
    });
    assert!(said.contains("CUT OFF from us"), "{said}");
    assert_eq!(get(&admin, "/readyz", None).unwrap().0, 200);

    let pid = i32::try_from(eu.0.id()).unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    assert_eq!(eu.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_peer_of_another_cluster_is_refused_with_a_remedy() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("cluster");
    let [admin, _] = cluster(&folder);
    // The other site comes with certificates of an authority of its own.
    let other = data.path().join("other");
    cluster(&other);
    for file in ["ca.pem", "site.pem", "site.key"] {
        fs::copy(other.join("us").join(file), folder.join("us").join(file)).unwrap();
    }
    let token = fs::read_to_string(folder.join("eu/admin.token")).unwrap();
    let (_eu, _us) = (serve(&folder, "eu"), serve(&folder, "us"));
    let status = eventually("the refusal is told", || {
        let (_, status) = get(&admin, "/api/v1/status", Some(token.trim()))?;
        status.contains("one authority").then_some(status)
    });
    assert!(status.contains("\"in_sync\":false"), "{status}");
}

#[test]
fn a_second_process_is_kept_out_of_the_data_directory() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("cluster");
    let [admin, _] = cluster(&folder);
    let _eu = serve(&folder, "eu");
    eventually("it is up", || get(&admin, "/healthz", None));
    let second = Command::new(BINARY)
        .args(["serve", "--config"])
        .arg(folder.join("eu/anabranch.toml"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second).contains("another process uses it"), "{}", text(&second));
}
