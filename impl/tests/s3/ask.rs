//! Requests in a line, by any account or by nobody.

use super::{Answer, LIFE, Pair};
use bytes::Bytes;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};

/// The account of the first bucket.
pub(super) const ANN: Option<&str> = Some("KEY");
/// Another account.
pub(super) const BOB: Option<&str> = Some("OTHER");
/// A third.
pub(super) const EVE: Option<&str> = Some("THIRD");
/// No account: the request is not signed.
pub(super) const NOBODY: Option<&str> = None;

/// What is refused most often.
pub(super) fn denied() -> (u16, String) {
    (403, "AccessDenied".into())
}

impl Pair {
    /// Sends a request such as `PUT /bucket/key?acl`. Its `x-amz-` headers are signed.
    pub(super) async fn ask(
        &self,
        site: usize,
        who: Option<&str>,
        line: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let credentials = who.map(|key| Credentials::new(key, "secret"));
        let (method, target) = line.split_once(" /").expect("a method and a path");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (name, key) = path.split_once('/').unwrap_or((path, ""));
        let url = "http://store.test".parse().unwrap();
        let bucket = Bucket::new(url, UrlStyle::Path, name.to_owned(), "us-east-1").unwrap();
        macro_rules! signed {
            ($action:expr) => {{
                let mut action = $action;
                action.query_mut().remove("list-type");
                action.query_mut().remove("encoding-type");
                for pair in query.split('&').filter(|pair| !pair.is_empty()) {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    action.query_mut().insert(name.to_owned(), value.to_owned());
                }
                for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-amz-")) {
                    action.headers_mut().insert((*name).to_owned(), (*value).to_owned());
                }
                action.sign(LIFE)
            }};
        }
        let signer = credentials.as_ref();
        // What signs a bucket's requests wants a signer; an unsigned one is the same without its query.
        let someone = Credentials::new("KEY", "secret");
        let must = signer.unwrap_or(&someone);
        if method == "OPTIONS" {
            return self.send_to(site, hyper::Method::OPTIONS, &format!("/{target}"), body, headers).await;
        }
        let mut url = match (method, key) {
            ("GET", "") => signed!(bucket.list_objects_v2(signer)),
            ("PUT", "") => signed!(bucket.create_bucket(must)),
            ("DELETE", "") => signed!(bucket.delete_bucket(must)),
            ("HEAD", "") => signed!(bucket.head_bucket(signer)),
            ("POST", "") => signed!(bucket.delete_objects(signer, std::iter::empty())),
            ("GET", key) => signed!(bucket.get_object(signer, key)),
            ("PUT", key) => signed!(bucket.put_object(signer, key)),
            ("DELETE", key) => signed!(bucket.delete_object(signer, key)),
            ("HEAD", key) => signed!(bucket.head_object(signer, key)),
            ("POST", key) => signed!(bucket.create_multipart_upload(signer, key)),
            (method, _) => panic!("{method} is not sent here"),
        };
        if signer.is_none() {
            let kept: Vec<_> = url.query_pairs().filter(|(name, _)| !name.starts_with("X-Amz-")).collect();
            let kept: Vec<_> = kept.iter().map(|(name, value)| format!("{name}={value}")).collect();
            url.set_query(Some(&kept.join("&")));
        }
        let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        self.send_to(site, method.parse().unwrap(), &target, body, headers).await
    }

    /// The same without headers and body.
    pub(super) async fn say(&self, site: usize, who: Option<&str>, line: &str) -> Answer {
        self.ask(site, who, line, &[], "").await
    }
}
