//! POST forms: what is written, what is refused, and what the browser is told.

use super::{
    Pair,
    ask::{ANN, BOB, NOBODY, denied},
    form::{CONDITIONS, Form, TYPE, policy, refused},
};
use anabranch::s3::{self, Settings};
use bytes::Bytes;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const TAGS: &str = "<Tagging><TagSet><Tag><Key>0</Key><Value>a b</Value></Tag>\
    <Tag><Key>1</Key><Value>1</Value></Tag></TagSet></Tagging>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_writes_what_its_policy_allows() {
    let pair = Pair::start().await;
    let form = || Form::new("foo.txt");
    let without_type = policy(&[&CONDITIONS[..3], &CONDITIONS[4..]].concat());
    let other_case = policy(&[
        r#"{"bUcKeT": "photos"}"#,
        r#"["StArTs-WiTh", "$KeY", "foo"]"#,
        r#"{"AcL": "private"}"#,
        r#"["StArTs-WiTh", "$CoNtEnT-TyPe", "text/plain"]"#,
    ]);
    let escaped =
        policy(&[CONDITIONS[0], r#"["starts-with", "$key", "\\$foo"]"#, CONDITIONS[2], CONDITIONS[3]]);
    let in_range = |least: u32, most: u32| {
        let range = format!(r#"["content-length-range", {least}, {most}]"#);
        policy(&[&CONDITIONS[..4], &[&range]].concat())
    };
    let (three, four) = (Bytes::from(vec![b'x'; 3 << 20]), Bytes::from(vec![b'x'; (4 << 20) + 200]));
    let now = pair.now();
    for (name, form, key, body) in [
        ("version 2", form().signed(), "foo.txt", "bar".into()),
        ("version 4", form().signed_v4(&now, &CONDITIONS), "foo.txt", "bar".into()),
        ("no type", form().without("Content-Type").signed_v2("KEY", &without_type), "foo.txt", "bar".into()),
        ("its bucket's name", form().with("bucket", "photos").signed(), "foo.txt", "bar".into()),
        ("a field to be ignored", form().with("x-ignore-foo", "bar").signed(), "foo.txt", "bar".into()),
        (
            "fields in another case",
            form()
                .without("key")
                .without("acl")
                .with("kEy", "foo.txt")
                .with("aCl", "private")
                .signed_v2("KEY", &other_case),
            "foo.txt",
            "bar".into(),
        ),
        ("a dollar", Form::new("\\$foo.txt").signed_v2("KEY", &escaped), "\\$foo.txt", "bar".into()),
        (
            "the file's name",
            Form::new("${filename}").file("foo.txt", "bar").signed(),
            "foo.txt",
            "bar".into(),
        ),
        (
            "the file's name without its path",
            Form::new("foo/${filename}!").file("C:\\a\\..\\b.txt", "bar").signed(),
            "foo/b.txt!",
            "bar".into(),
        ),
        ("an empty file", form().file("file", "").signed(), "foo.txt", Bytes::new()),
        (
            "a file of many pieces",
            form().file("file", three.clone()).signed_v2("KEY", &in_range(0, 5 << 20)),
            "foo.txt",
            three,
        ),
        (
            "a file within its range",
            form().file("file", four.clone()).signed_v2("KEY", &in_range(4 << 20, 12 << 20)),
            "foo.txt",
            four,
        ),
    ] {
        let told = pair.post("/photos", &form).await;
        assert_eq!((told.status.as_u16(), &told.body[..]), (204, &b""[..]), "{name}: {told:?}");
        let read = pair.say(0, ANN, &format!("GET /photos/{key}")).await;
        assert!(read.status.is_success() && read.body == body, "{name}: {}", read.status);
        assert_eq!(told.header("etag"), read.header("etag"), "{name}");
        pair.say(0, ANN, &format!("DELETE /photos/{key}")).await.ok();
    }
    assert!(pair.is_empty().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fields_of_a_form_are_the_objects() {
    let pair = Pair::start().await;
    let fields = [
        ("x-amz-meta-foo", "barclamp"),
        ("Cache-Control", "no-cache"),
        ("Content-Disposition", "attachment"),
        ("x-amz-storage-class", "STANDARD"),
        ("tagging", TAGS),
    ];
    let conditions: Vec<_> =
        fields.iter().map(|(name, _)| format!(r#"["starts-with", "${name}", ""]"#)).collect();
    let conditions: Vec<_> = CONDITIONS.into_iter().chain(conditions.iter().map(String::as_str)).collect();
    let form = fields.into_iter().fold(Form::new("foo.txt"), |form, (name, value)| form.with(name, value));
    // The checksum of "bar"; a policy need not name it.
    let sum = ("x-amz-checksum-sha256", "/N4rLtula/QIYB+3If6bXDONEO5CnqBPrlURto+/j7k=");
    let form = form.with(sum.0, sum.1).signed_v4(&pair.now(), &conditions);
    assert_eq!(pair.post("/photos", &form).await.status.as_u16(), 204);
    let read = pair.ask(0, ANN, "GET /photos/foo.txt", &[("x-amz-checksum-mode", "ENABLED")], "").await.ok();
    assert_eq!(read.body, "bar");
    for (name, value) in [
        ("content-type", "text/plain"),
        ("x-amz-meta-foo", "barclamp"),
        ("cache-control", "no-cache"),
        ("content-disposition", "attachment"),
        ("x-amz-tagging-count", "2"),
        sum,
    ] {
        assert_eq!(read.header(name), value, "{name}");
    }
    let tags = pair.say(0, ANN, "GET /photos/foo.txt?tagging").await.ok();
    assert_eq!(
        (tags.all("Key"), tags.all("Value")),
        (vec!["0".into(), "1".into()], vec!["a b".into(), "1".into()])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_is_decided_as_a_put_is() {
    let pair = Pair::start().await;
    let form = || Form::new("foo.txt").with("tagging", TAGS);
    let bobs = || Form::new("foo.txt").signed_v2("OTHER", &policy(&CONDITIONS));
    for form in [form(), bobs()] {
        assert_eq!(pair.post("/photos", &form).await.refused(), denied());
    }
    // Lists: whoever may write may send a form, and owns what it writes.
    pair.open().await;
    pair.post("/photos", &form().with("acl", "public-read")).await.ok();
    assert_eq!(pair.say(0, BOB, "GET /photos/foo.txt").await.ok().body, "bar");
    assert_eq!(pair.say(0, ANN, "GET /photos/foo.txt").await.ok().header("x-amz-tagging-count"), "2");
    pair.post("/photos", &bobs()).await.ok();
    let acl = pair.say(0, BOB, "GET /photos/foo.txt?acl").await.ok();
    assert_eq!(acl.all("ID").first().map(String::as_str), Some("bob"));
    assert_eq!(pair.say(0, ANN, "GET /photos/foo.txt").await.refused(), denied());
    // Policies: by key, by tags, and by how the request is signed.
    let statement = |effect: &str, resource: &str, condition: &str| {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "{effect}", "Principal": "*",
            "Action": "s3:PutObject", "Resource": "arn:aws:s3:::photos/{resource}", "Condition": {condition}}}]}}"#
        )
    };
    let anns = || Form::new("foo.txt").signed();
    for (effect, resource, condition, form, status) in [
        ("Deny", "foo*", "{}", form(), 403),
        ("Deny", "bar*", "{}", form(), 204),
        ("Deny", "*", r#"{"StringEquals": {"s3:RequestObjectTag/1": "1"}}"#, form(), 403),
        ("Deny", "*", r#"{"StringEquals": {"s3:x-amz-acl": "private"}}"#, form(), 403),
        ("Deny", "*", r#"{"StringEquals": {"s3:authType": "POST"}}"#, anns(), 403),
        ("Deny", "*", r#"{"StringEquals": {"s3:authType": "REST-HEADER"}}"#, anns(), 204),
        ("Deny", "*", r#"{"StringEquals": {"s3:signatureversion": "AWS"}}"#, anns(), 403),
        ("Deny", "*", r#"{"StringEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}}"#, anns(), 204),
    ] {
        let policy = statement(effect, resource, condition);
        pair.ask(0, ANN, "PUT /photos?policy", &[], policy).await.ok();
        assert_eq!(pair.post("/photos", &form).await.status.as_u16(), status, "{resource} {condition}");
    }
    pair.ask(0, ANN, "PUT /photos?acl", &[("x-amz-acl", "private")], "").await.ok();
    pair.ask(0, ANN, "PUT /photos?policy", &[], statement("Allow", "foo*", "{}")).await.ok();
    pair.post("/photos", &form()).await.ok();
    assert_eq!(pair.post("/photos", &form().with("key", "bar.txt")).await.refused(), denied());
    // Locks: the bucket's own, and who may write may not therefore lock.
    pair.ask(0, ANN, "PUT /vault", &[("x-amz-bucket-object-lock-enabled", "true")], "").await.ok();
    let lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
        <Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    pair.ask(0, ANN, "PUT /vault?object-lock", &[], lock).await.ok();
    pair.ask(0, ANN, "PUT /vault?acl", &[("x-amz-acl", "public-read-write")], "").await.ok();
    let hold = ("x-amz-object-lock-legal-hold", "ON");
    assert_eq!(pair.post("/vault", &Form::new("k").with(hold.0, hold.1)).await.refused(), denied());
    let written = pair.post("/vault", &Form::new("k").with("acl", "bucket-owner-full-control")).await.ok();
    let told = pair.say(0, ANN, "HEAD /vault/k").await.ok();
    assert_eq!(told.header("x-amz-object-lock-mode"), "GOVERNANCE");
    assert_eq!(told.header("x-amz-version-id"), written.header("x-amz-version-id"));
    assert_ne!(written.header("x-amz-version-id"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_browser_is_told_what_the_form_asks_for() {
    let pair = Pair::start().await;
    pair.open().await;
    let form = || Form::new("a/ä&<b>.txt").with("acl", "public-read");
    let status = |text: &str| form().with("success_action_status", text);
    for (form, expected) in [
        (form(), 204),
        (status("200"), 200),
        (status("204"), 204),
        (status("404"), 204),
        (status("x"), 204),
        // What is no address is not there.
        (form().with("success_action_redirect", "javascript:alert(1)"), 204),
        (form().with("success_action_redirect", "/there"), 204),
        (status("200").with("success_action_redirect", ""), 200),
    ] {
        let told = pair.post("/photos", &form).await;
        assert_eq!((told.status.as_u16(), &told.body[..]), (expected, &b""[..]));
    }
    let told = pair.post("/photos", &status("201")).await;
    assert_eq!((told.status.as_u16(), told.header("content-type")), (201, "application/xml"));
    assert_eq!(told.all("Key"), ["a/ä&amp;&lt;b&gt;.txt"]);
    assert_eq!(told.all("Bucket"), ["photos"]);
    assert_eq!(told.all("Location"), ["http://store.test/photos/a/%C3%A4%26%3Cb%3E.txt"]);
    assert_eq!(told.all("ETag"), ["&quot;37b51d194a7513e45b56f6524f2d51f2&quot;"]);
    assert_eq!(told.header("location"), "http://store.test/photos/a/%C3%A4%26%3Cb%3E.txt");
    let query = "bucket=photos&key=a%2F%C3%A4%26%3Cb%3E.txt&etag=%2237b51d194a7513e45b56f6524f2d51f2%22";
    for (name, address, expected) in [
        ("success_action_redirect", "http://a.test/photos", format!("http://a.test/photos?{query}")),
        ("redirect", "https://a.test", format!("https://a.test?{query}")),
        ("success_action_redirect", "http://a.test/?x=y#z", format!("http://a.test/?x=y&{query}#z")),
    ] {
        let told = pair.post("/photos", &status("201").with(name, address)).await;
        assert_eq!((told.status.as_u16(), &told.body[..]), (303, &b""[..]));
        assert_eq!(told.header("location"), expected);
    }
    // Pages of other origins are told of the rules, as on every answer.
    let rules = "<CORSConfiguration><CORSRule><AllowedMethod>POST</AllowedMethod>\
        <AllowedOrigin>http://a.test</AllowedOrigin></CORSRule></CORSConfiguration>";
    pair.ask(0, ANN, "PUT /photos?cors", &[], rules).await.ok();
    for (form, status) in [(form(), 204), (form().without("key"), 400)] {
        let headers = [TYPE, ("origin", "http://a.test")];
        let told = pair.send_to(0, hyper::Method::POST, "/photos", form.body(), &headers).await;
        assert_eq!(told.status.as_u16(), status);
        assert_eq!(told.header("access-control-allow-origin"), "http://a.test");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_is_decided_before_its_file_and_written_after_it() {
    let pair = Pair::start().await;
    let head = |form: &Form| {
        let (head, kind) = (form.head(), TYPE.1);
        let length = head.len() + 1000;
        format!(
            "POST /photos HTTP/1.1\r\nhost: store.test\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{head}"
        )
    };
    // Answered though nothing of the file has come.
    for (form, answer) in [
        (Form::new("foo.txt"), "<Code>AccessDenied</Code>"),
        (Form::new("foo.txt").signed().with("acl", "public-read"), "<Code>AccessDenied</Code>"),
    ] {
        let mut conn = pair.dial();
        conn.write_all(head(&form).as_bytes()).await.unwrap();
        let mut told = String::new();
        conn.read_to_string(&mut told).await.unwrap();
        assert!(told.starts_with("HTTP/1.1 403") && told.contains(answer), "{told}");
    }
    // Broken off within the file, though all that there is of it has come; and a form that never ends.
    let mut conn = pair.dial();
    conn.write_all(format!("{}bar", head(&Form::new("foo.txt").signed())).as_bytes()).await.unwrap();
    conn.shutdown().await.unwrap();
    conn.read_to_end(&mut Vec::new()).await.ok();
    let cut = Form::new("foo.txt").signed().body();
    let cut = cut.slice(..cut.len() - "--\r\n".len());
    let told = pair.send_to(0, hyper::Method::POST, "/photos", cut, &[TYPE]).await;
    assert_eq!(told.refused(), refused(400, "IncompleteBody"));
    let form = Form::new("foo.txt").signed().head();
    let (mut reader, mut writer) = tokio::io::split(pair.dial());
    tokio::spawn(async move {
        let head = "POST /photos HTTP/1.1\r\nhost: store.test\r\ntransfer-encoding: chunked";
        let head = format!("{head}\r\ncontent-type: {}\r\n\r\n{:x}\r\n{form}\r\n", TYPE.1, form.len());
        writer.write_all(head.as_bytes()).await.unwrap();
        let piece = [&b"10000\r\n"[..], &vec![0; 0x10000], b"\r\n"].concat();
        // Until nobody listens any more.
        while writer.write_all(&piece).await.is_ok() {}
    });
    let mut told = String::new();
    reader.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 400") && told.contains("<Code>EntityTooLarge</Code>"), "{told}");
    assert!(pair.is_empty().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_takes_version_4_only_takes_no_form_of_version_2() {
    let mut pair = Pair::start().await;
    let settings = Settings { allow_sigv2: false, ..Settings::default() };
    let engine = pair.sites[0].node.engine().clone();
    pair.faces[0] = s3::service(engine, &pair.keys, settings, Arc::new(()));
    let form = || Form::new("foo.txt");
    assert_eq!(pair.post("/photos", &form().signed()).await.refused(), refused(400, "InvalidRequest"));
    assert!(pair.is_empty().await);
    pair.post("/photos", &form().signed_v4(&pair.now(), &CONDITIONS)).await.ok();
    assert_eq!(pair.say(0, NOBODY, "GET /photos/foo.txt").await.refused(), denied());
    assert_eq!(pair.say(0, ANN, "GET /photos/foo.txt").await.ok().body, "bar");
}
