//! The daemon as operators meet it: a process with its commands, its admin face, and a cluster made by `init`.

#![expect(clippy::disallowed_methods, reason = "the test is outside the seams: it drives real processes")]

mod processes;

use processes::{Cluster, eventually, get, run, text};
use std::fs;

#[test]
fn a_cluster_made_by_init_comes_up_says_how_it_stands_and_stops_when_told() {
    let data = tempfile::tempdir().unwrap();
    let cluster = Cluster::create(&data.path().join("cluster"), 2);
    let [site, _] = &cluster.sites[..] else { panic!("two sites") };
    let (admin, config) = (site.admin, site.config.to_str().unwrap());
    let checked = run(&["check-config", "--config", config]);
    assert!(checked.status.success(), "{}", text(&checked));

    let mut running = cluster.start_all();
    let (us, mut eu) = (running.pop().unwrap(), running.pop().unwrap());
    let shown = run(&["status", "--config", config]);
    assert!(text(&shown).starts_with("eu is in sync with us"), "{}", text(&shown));
    assert_eq!(get(admin, "/healthz", None).unwrap().0, 200);
    assert_eq!(get(admin, "/readyz", None).unwrap().0, 200);
    assert_eq!(get(admin, "/api/v1/status", None).unwrap().0, 401);
    assert_eq!(get(admin, "/api/v1/status", Some("wrong")).unwrap().0, 401);
    let status = get(admin, "/api/v1/status", Some(&site.token)).unwrap().1;
    assert!(status.contains("\"in_sync\":true"), "{status}");
    let metrics = get(admin, "/metrics", None).unwrap().1;
    assert!(metrics.contains("anabranch_peer_up{peer=\"us\"} 1.0"), "{metrics}");
    let listed = run(&["conflicts", "list", "--config", config]);
    assert_eq!(text(&listed), "0 keys in conflict");

    let verified = run(&["verify", "--deep", "--config", config]);
    assert!(verified.status.success(), "{}", text(&verified));
    assert!(text(&verified).ends_with("all as it was written"), "{}", text(&verified));

    let doctored = text(&run(&["doctor", "--config", config]));
    assert!(doctored.contains("ok the site runs: eu is in sync with us"), "{doctored}");
    assert!(doctored.contains("ok secrets are the owner's alone"), "{doctored}");
    assert!(doctored.contains("a sync takes"), "{doctored}");

    // A peer that is down is told of by status, and is no reason not to be ready.
    drop(us);
    let said = eventually("the link is seen to be down", || {
        let shown = run(&["status", "--config", config]);
        (shown.status.code() == Some(3)).then(|| text(&shown)).filter(|text| text.contains("link down"))
    });
    assert!(said.contains("CUT OFF from us"), "{said}");
    assert_eq!(get(admin, "/readyz", None).unwrap().0, 200);

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
    let cluster = Cluster::create(&data.path().join("cluster"), 2);
    // The other site comes with certificates of an authority of its own.
    let other = Cluster::create(&data.path().join("other"), 2);
    for file in ["ca.pem", "site.pem", "site.key"] {
        fs::copy(other.folder.join("us").join(file), cluster.folder.join("us").join(file)).unwrap();
    }
    let (_eu, _us) = (cluster.serve(0), cluster.serve(1));
    let status = eventually("the refusal is told", || {
        let status = cluster.sites[0].status()?;
        status.contains("one authority").then_some(status)
    });
    assert!(status.contains("\"in_sync\":false"), "{status}");
}

#[test]
fn a_second_process_is_kept_out_of_the_data_directory() {
    let data = tempfile::tempdir().unwrap();
    let cluster = Cluster::create(&data.path().join("cluster"), 2);
    let _eu = cluster.start(0);
    let second = run(&["serve", "--config", cluster.sites[0].config.to_str().unwrap()]);
    assert_eq!(second.status.code(), Some(1));
    assert!(text(&second).contains("another process uses it"), "{}", text(&second));
}

#[tokio::test]
async fn a_key_made_at_one_site_signs_at_the_other_until_it_is_revoked() {
    let data = tempfile::tempdir().unwrap();
    let cluster = Cluster::create(&data.path().join("cluster"), 2);
    let _running = cluster.start_all();
    let [here, there] = [0, 1].map(|site| cluster.sites[site].config.to_str().unwrap().to_owned());
    let made = run(&["keys", "create", "ann", "--config", &here]);
    assert!(made.status.success(), "{}", text(&made));
    let said = text(&made);
    let words: Vec<_> = said.split(' ').collect();
    let (id, secret) = (words[2], words[5]);
    let listed = eventually("the key is listed elsewhere", || {
        let listed = text(&run(&["keys", "list", "--config", &there]));
        listed.contains(id).then_some(listed)
    });
    assert!(listed.contains("ann the cluster") && !listed.contains(secret), "{listed}");
    let mut client = processes::client::Client::new(cluster.sites[1].s3, id, secret);
    let bucket = client.bucket("of-ann");
    let credentials = client.credentials.clone();
    let create = bucket.create_bucket(&credentials);
    let mut answered = async |status: u16| {
        for _ in 0..200 {
            let answer = client.send(hyper::Method::PUT, &create, bytes::Bytes::new()).await.unwrap();
            if answer.status == status {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("never answered {status}");
    };
    answered(200).await;
    let revoked = run(&["keys", "revoke", id, "--config", &here]);
    assert!(revoked.status.success(), "{}", text(&revoked));
    answered(403).await;
    let again = run(&["keys", "revoke", id, "--config", &here]);
    assert!(text(&again).contains("there is no access key"), "{}", text(&again));
    let differ = run(&["diff", "us", "--config", &here]);
    assert!(differ.status.success() && text(&differ).contains("all equal"), "{}", text(&differ));
}
