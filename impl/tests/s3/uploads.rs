//! Multipart uploads as their clients finish and list them.

use super::{
    Answer, Pair,
    ask::{ANN, BOB, denied},
};

impl Pair {
    async fn begin(&self, key: &str, headers: &[(&str, &str)]) -> String {
        let mut create = self.signed("POST", &format!("/photos/{key}?uploads"));
        for (name, value) in headers {
            create = create.with(name, value);
        }
        self.exchange(create.by_header()).await.ok().all("UploadId").remove(0)
    }

    /// Finishes an upload with these parts from the first on, each with its ETag and its SHA256, if that is not empty.
    pub(crate) async fn complete(
        &self,
        key: &str,
        id: &str,
        parts: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        self.complete_at(0, (key, id), parts, headers).await
    }

    async fn complete_at(
        &self,
        site: usize,
        (key, id): (&str, &str),
        parts: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut complete = self.signed("POST", &format!("/photos/{key}?uploadId={id}"));
        let parts = (1..).zip(parts).map(|(number, (etag, sum))| {
            let sum = Some(sum).filter(|sum| !sum.is_empty());
            let sum = sum.map(|sum| format!("<ChecksumSHA256>{sum}</ChecksumSHA256>")).unwrap_or_default();
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{sum}</Part>")
        });
        let parts: String = parts.collect();
        complete.body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>").into();
        for (name, value) in headers {
            complete = complete.with(name, value);
        }
        self.exchange_at(site, complete.by_header()).await
    }

    async fn part(&self, key: &str, id: &str, number: u16, body: &'static str) -> Answer {
        let mut part = self.signed("PUT", &format!("/photos/{key}?partNumber={number}&uploadId={id}"));
        part.body = body.into();
        self.exchange(part.by_header()).await.ok()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_completion_says_of_its_parts_must_be_so() {
    let pair = Pair::start().await;
    let id = pair.begin("k", &[("x-amz-checksum-algorithm", "SHA256")]).await;
    let [one, other] = [pair.part("k", &id, 1, "one").await, pair.part("k", &id, 2, "other").await];
    let (etag, sum) = (one.header("etag"), one.header("x-amz-checksum-sha256"));
    let wrong = other.header("x-amz-checksum-sha256");
    let size = |size| [("x-amz-mp-object-size", size)];
    for (sum, headers, refused) in [
        (wrong, &[][..], (400, "InvalidPart")),
        ("", &[], (400, "InvalidRequest")),
        (sum, &size("4"), (400, "InvalidRequest")),
        (sum, &size("3"), (200, "")),
    ] {
        let told = pair.complete("k", &id, &[(etag, sum)], headers).await;
        assert_eq!(told.refused(), (refused.0, refused.1.to_owned()), "{}", told.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_without_an_algorithm_has_the_checksum_of_a_put() {
    let pair = Pair::start().await;
    let id = pair.begin("k", &[]).await;
    // A part may be sent with a checksum of another kind.
    let part = pair.signed("PUT", &format!("/photos/k?partNumber=1&uploadId={id}"));
    let mut part = part.with("x-amz-checksum-crc32", "NSRBwg==");
    part.body = "abc".into();
    let part = pair.exchange(part.by_header()).await.ok();
    assert_eq!(part.header("x-amz-checksum-crc32"), "NSRBwg==");
    let done = pair.complete("k", &id, &[(part.header("etag"), "")], &[]).await.ok();
    let put = pair.put(0, "whole", "abc").await.ok();
    assert_eq!(done.all("ChecksumCRC64NVME"), [put.header("x-amz-checksum-crc64nvme")]);
    assert_eq!(done.all("ChecksumType"), ["FULL_OBJECT"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_are_listed_in_pages_and_folded() {
    let pair = Pair::start().await;
    let mut begun = Vec::new();
    for key in ["a", "a", "a", "b/1", "b/2", "c"] {
        begun.push((key.to_owned(), pair.begin(key, &[]).await));
    }
    let list = async |query: &str| {
        pair.exchange(pair.signed("GET", &format!("/photos?{query}")).by_header()).await.ok()
    };
    let (mut found, mut marker) = (Vec::new(), (String::new(), String::new()));
    loop {
        // Queries are signed in the order of their names.
        let (key, id) = (marker.0.replace('/', "%2F"), &marker.1);
        let page = list(&format!("key-marker={key}&max-uploads=2&upload-id-marker={id}&uploads=")).await;
        found.extend(page.all("Key").into_iter().zip(page.all("UploadId")));
        let Some(key) = page.all("NextKeyMarker").pop() else { break };
        marker = (key, page.all("NextUploadIdMarker").remove(0));
    }
    found.sort();
    begun.sort();
    assert_eq!(found, begun);
    let folded = list("delimiter=%2F&encoding-type=url&uploads=").await;
    assert_eq!(folded.all("Key"), ["a", "a", "a", "c"]);
    assert_eq!(folded.all("EncodingType"), ["url"]);
    assert!(
        folded.text().contains("<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>"),
        "{}",
        folded.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_is_copied_of_a_range_with_both_its_ends() {
    let pair = Pair::start().await;
    pair.put(0, "source", "0123").await.ok();
    let id = pair.begin("k", &[]).await;
    for (range, refused) in [
        ("bytes=1-2", (200, "")),
        ("bytes=0-4", (416, "InvalidRange")),
        ("bytes=0-", (400, "InvalidArgument")),
        ("bytes=-1", (400, "InvalidArgument")),
        ("bytes=2-1", (400, "InvalidArgument")),
        ("bytes=0-0,2-2", (400, "InvalidArgument")),
    ] {
        let copy = pair.signed("PUT", &format!("/photos/k?partNumber=1&uploadId={id}"));
        let copy = copy.with("x-amz-copy-source", "photos/source").with("x-amz-copy-source-range", range);
        let told = pair.exchange(copy.by_header()).await.refused();
        assert_eq!(told, (refused.0, refused.1.to_owned()), "{range}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_at_the_other_site() {
    let pair = Pair::start().await;
    pair.put(0, "source", "copied").await.ok();
    pair.arrives(1, "source").await;
    let begin = async |key: &str| {
        let begun = pair.say(0, ANN, &format!("POST /photos/{key}?uploads")).await.ok();
        begun.all("UploadId").remove(0)
    };
    let id = begin("k").await;
    let part = |number: u16| format!("PUT /photos/k?partNumber={number}&uploadId={id}");
    let large = vec![b'x'; 6 << 20];
    let first = pair.ask(1, ANN, &part(1), &[], large.clone()).await.ok();
    let copied = pair.ask(1, ANN, &part(2), &[("x-amz-copy-source", "photos/source")], "").await.ok();
    let (first, second) = (first.header("etag").to_owned(), copied.all("ETag").remove(0));
    let listed = [0, 1].map(|site| (site, format!("GET /photos/k?uploadId={id}")));
    for (site, line) in &listed {
        let parts = pair.say(*site, ANN, line).await.ok();
        assert_eq!(parts.all("Size"), [large.len().to_string(), "6".to_owned()], "at site {site}");
    }
    assert_eq!(pair.ask(1, BOB, &part(3), &[], "no").await.refused(), denied(), "who may is asked there");
    let parts = [(first.as_str(), ""), (second.as_str(), "")];
    let wrong = [(second.as_str(), "")];
    assert_eq!(pair.complete_at(1, ("k", &id), &wrong, &[]).await.refused(), (400, "InvalidPart".into()));
    let done = pair.complete_at(1, ("k", &id), &parts, &[]).await.ok();
    for site in [0, 1] {
        let shown = pair.arrives(site, "k").await;
        assert_eq!(shown.header("etag"), done.all("ETag")[0].replace("&quot;", "\""));
        assert_eq!(shown.body, [&large[..], b"copied"].concat(), "at site {site}");
    }

    let given_up = begin("k2").await;
    pair.say(1, ANN, &format!("DELETE /photos/k2?uploadId={given_up}")).await.ok();
    let gone = (404, "NoSuchUpload".to_owned());
    for site in [0, 1] {
        assert_eq!(pair.say(site, ANN, &format!("GET /photos/k2?uploadId={given_up}")).await.refused(), gone);
        // No site of this cluster has that number.
        let foreign = format!("00ff{}", &given_up[4..]);
        assert_eq!(pair.say(site, ANN, &format!("GET /photos/k2?uploadId={foreign}")).await.refused(), gone);
    }

    let orphan = begin("k3").await;
    pair.sites[0].env.stop();
    let line = format!("PUT /photos/k3?partNumber=1&uploadId={orphan}");
    let refused = pair.ask(1, ANN, &line, &[], "x").await;
    assert_eq!(refused.refused(), (503, "ServiceUnavailable".into()), "{}", refused.text());
    assert!(refused.text().contains("another site, which is out of reach"), "{}", refused.text());
}
