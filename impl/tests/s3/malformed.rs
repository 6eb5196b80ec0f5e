//! Requests that are wrong in one way each, with the status and code that a client is told: those of AWS, unless the row
//! says what AWS answers instead.

use super::{Pair, signer::Signed};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What is wrong, the method, where, a header, the body, and the answer. Keys `k` and bucket `photos` exist; `UPLOAD` is
/// an upload under way.
type Row = (&'static str, &'static str, String, (&'static str, &'static str), String, (u16, &'static str));

const NONE: (&str, &str) = ("", "");

fn rows() -> Vec<Row> {
    let row = |name, method, target: &str, header, body: &str, answer| {
        (name, method, target.to_owned(), header, body.to_owned(), answer)
    };
    let object = |name, method, query: &str, header, answer| {
        row(name, method, &format!("/photos/k{query}"), header, "", answer)
    };
    let list = |name, query: &str, answer| row(name, "GET", &format!("/photos?{query}"), NONE, "", answer);
    let bucket =
        |name, bucket: &str| row(name, "PUT", &format!("/{bucket}"), NONE, "", (400, "InvalidBucketName"));
    let delete = |name, body: &str, answer| row(name, "POST", "/photos?delete", NONE, body, answer);
    let (argument, xml) = ((400, "InvalidArgument"), (400, "MalformedXML"));
    let objects = |count| "<Object><Key>k</Key></Object>".repeat(count);
    let tags = |tags: &str| format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
    let tag = |key: &str| format!("<Tag><Key>{key}</Key><Value>v</Value></Tag>");
    let complete = |name, parts: &str, answer| {
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        row(name, "POST", "/photos/k?uploadId=UPLOAD", NONE, &body, answer)
    };
    let tagging = |name, body: String, answer| row(name, "PUT", "/photos/k?tagging", NONE, &body, answer);
    let mut rows = vec![
        // Documents.
        delete("XML that ends early", "<Delete><Object>", xml),
        delete("XML with another root", "<Remove></Remove>", xml),
        delete("no XML", "delete it all", xml),
        delete("an empty document", "", (400, "MissingRequestBodyError")),
        delete("too long a document", &" ".repeat((4 << 20) + 1), (400, "MaxMessageLengthExceeded")),
        delete("no keys to delete", "<Delete></Delete>", xml),
        delete("1001 keys to delete", &format!("<Delete>{}</Delete>", objects(1001)), xml),
        row(
            "an unknown status of versioning",
            "PUT",
            "/photos?versioning",
            NONE,
            "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>",
            xml,
        ),
        row("no status of versioning", "PUT", "/photos?versioning", NONE, "<VersioningConfiguration/>", xml),
        row("the wrong document", "PUT", "/photos?versioning", NONE, &tags(""), xml),
        // Tags. AWS says BadRequest of more than ten; the suite of Ceph wants this.
        tagging(
            "eleven tags",
            tags(&(0..11).map(|n| tag(&format!("t{n}"))).collect::<String>()),
            (400, "InvalidTag"),
        ),
        tagging("too long a tag", tags(&tag(&"t".repeat(129))), (400, "InvalidTag")),
        tagging("a tag twice", tags(&(tag("t") + &tag("t"))), (400, "InvalidTag")),
        tagging("a tag without a value", tags("<Tag><Key>t</Key></Tag>"), xml),
        object("a tag twice in the header", "PUT", "", ("x-amz-tagging", "a=1&a=2"), (400, "InvalidTag")),
        // Ranges and parts. A range that cannot be read is ignored, as AWS does: that is tested elsewhere.
        object("a range beyond the end", "GET", "", ("range", "bytes=4-9"), (416, "InvalidRange")),
        object("a range of nothing", "GET", "", ("range", "bytes=-0"), (416, "InvalidRange")),
        object("a range and a part", "GET", "?partNumber=1", ("range", "bytes=0-1"), (400, "InvalidRequest")),
        object("part 0", "GET", "?partNumber=0", NONE, argument),
        object("a part without a number", "GET", "?partNumber=x", NONE, argument),
        // AWS: 416 InvalidPartNumber. The suite of Ceph wants this.
        object("a part that is not there", "GET", "?partNumber=2", NONE, (400, "InvalidPart")),
        // Versions.
        object("a version id that is none", "GET", "?versionId=x", NONE, argument),
        object("an empty version id", "GET", "?versionId=", NONE, argument),
        object(
            "an unknown version",
            "GET",
            &format!("?versionId={}", "0".repeat(52)),
            NONE,
            (404, "NoSuchVersion"),
        ),
        object("a version id to delete that is none", "DELETE", "?versionId=x", NONE, argument),
        // Listings.
        list("a made-up token", "continuation-token=x&list-type=2", argument),
        list("a negative number of keys", "max-keys=-1", argument),
        list("a number of keys that is none", "max-keys=x", argument),
        list("too great a number of keys", "max-keys=99999999999", argument),
        list("an unknown encoding", "encoding-type=base64", argument),
        list("a version to go on after, of no key", "version-id-marker=x&versions", argument),
        list("a version to go on after that is none", "key-marker=k&version-id-marker=x&versions", argument),
        list("a negative number of uploads", "max-uploads=-1&uploads", argument),
        // AWS: 400 InvalidArgument. s3s takes it for a listing of version 1.
        list("an unknown version of listing", "list-type=3", (200, "")),
        // Names.
        bucket("too short a name", "ab"),
        bucket("too long a name", &"b".repeat(64)),
        bucket("a name in capitals", "Photos"),
        bucket("a name that is an address", "192.168.0.1"),
        bucket("a name with two dots", "a..b"),
        row(
            "too long a key",
            "PUT",
            &format!("/photos/{}", "k".repeat(1025)),
            NONE,
            "",
            (400, "KeyTooLongError"),
        ),
        row("a key that is not UTF-8", "GET", "/photos/%FF", NONE, "", (400, "InvalidURI")),
        row("a bucket that is not there", "GET", "/absent/k", NONE, "", (404, "NoSuchBucket")),
        // Digests.
        object("an MD5 that is none", "PUT", "", ("content-md5", "nonsense"), (400, "InvalidDigest")),
        object("an empty MD5", "PUT", "", ("content-md5", ""), (400, "InvalidDigest")),
        object("another's MD5", "PUT", "", ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="), (400, "BadDigest")),
        object("another's checksum", "PUT", "", ("x-amz-checksum-crc32", "BAAAAA=="), (400, "BadDigest")),
        // AWS: InvalidRequest. The suite of Ceph wants this.
        object("a checksum that is none", "PUT", "", ("x-amz-checksum-sha256", "bad"), (400, "BadDigest")),
        object("an unknown checksum", "PUT", "", ("x-amz-checksum-md4", "AAAA"), (400, "InvalidRequest")),
        object(
            "an unknown algorithm",
            "PUT",
            "",
            ("x-amz-sdk-checksum-algorithm", "MD4"),
            (400, "InvalidRequest"),
        ),
        object(
            "another's hash",
            "PUT",
            "",
            ("x-amz-content-sha256", "0000000000000000000000000000000000000000000000000000000000000000"),
            (400, "XAmzContentSHA256Mismatch"),
        ),
        // AWS: 400 InvalidArgument. s3s decides.
        object(
            "a hash that is none",
            "PUT",
            "",
            ("x-amz-content-sha256", "nonsense"),
            (403, "SignatureDoesNotMatch"),
        ),
        // Copies.
        object("a source without a key", "PUT", "", ("x-amz-copy-source", "photos"), argument),
        object("a source that is not encoded", "PUT", "", ("x-amz-copy-source", "photos/%FF"), argument),
        object("a source in no bucket", "PUT", "", ("x-amz-copy-source", "absent/k"), (404, "NoSuchBucket")),
        object(
            "a source that is not there",
            "PUT",
            "",
            ("x-amz-copy-source", "photos/absent"),
            (404, "NoSuchKey"),
        ),
        object("a source of no version", "PUT", "", ("x-amz-copy-source", "photos/k?versionId=x"), argument),
        object("a copy onto itself", "PUT", "", ("x-amz-copy-source", "photos/k"), (400, "InvalidRequest")),
        // Uploads.
        complete("no parts", "", xml),
        complete("a part without a number", "<Part><ETag>x</ETag></Part>", xml),
        complete("part 0", "<Part><PartNumber>0</PartNumber></Part>", argument),
        complete(
            "a part that was not uploaded",
            "<Part><PartNumber>7</PartNumber></Part>",
            (400, "InvalidPart"),
        ),
        object("a completion without a document", "POST", "?uploadId=UPLOAD", NONE, xml),
        object("part 0 to upload", "PUT", "?partNumber=0&uploadId=UPLOAD", NONE, argument),
        object("part 10001 to upload", "PUT", "?partNumber=10001&uploadId=UPLOAD", NONE, argument),
        object("a part of no upload", "PUT", "?partNumber=1&uploadId=x", NONE, (404, "NoSuchUpload")),
        object("parts of no upload", "GET", "?uploadId=x", NONE, (404, "NoSuchUpload")),
        object("no upload to give up", "DELETE", "?uploadId=x", NONE, (404, "NoSuchUpload")),
        object("a negative number of parts", "GET", "?max-parts=-1&uploadId=UPLOAD", NONE, argument),
        // Operations that are none. AWS: 405 MethodNotAllowed. s3s decides.
        object("a POST of nothing", "POST", "", NONE, (501, "NotImplemented")),
        row("a DELETE of everything", "DELETE", "/", NONE, "", (501, "NotImplemented")),
        object("a sub-resource that nobody knows", "GET", "?nonsense", NONE, (200, "")),
        object("a context that is none", "PUT", "", ("x-anabranch-context", "nonsense"), argument),
    ];
    let long: &'static str = Box::leak("v".repeat(2048).into_boxed_str());
    rows.push(object("too much metadata", "PUT", "", ("x-amz-meta-a", long), (400, "MetadataTooLarge")));
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_request_is_told_what_is_wrong_with_it() {
    let pair = Pair::start().await;
    pair.put(0, "k", "body").await.ok();
    let create = pair.bucket.create_multipart_upload(Some(&pair.account), "k");
    let id = pair.send(0, hyper::Method::POST, &create, "").await.ok().all("UploadId").remove(0);
    let mut wrong = Vec::new();
    for (name, method, target, header, body, (status, code)) in rows() {
        let mut request = pair.signed(method, &target.replace("UPLOAD", &id));
        if header != NONE {
            request = request.with(header.0, header.1);
        }
        request.body = Bytes::from(body);
        let answer = pair.exchange(request.by_header()).await;
        let told = answer.refused();
        if told != (status, code.to_owned()) {
            wrong.push(format!("{name}: {told:?}, not {status} {code}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert_eq!(pair.get(0, "k", &[]).await.ok().body, "body", "what was refused left nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_not_well_signed_is_told_why() {
    let pair = Pair::start().await;
    pair.put(0, "k", "body").await.ok();
    let get = || pair.signed("GET", "/photos/k");
    let header = |value: &str| {
        let mut request = get().by_header();
        request.headers_mut().insert("authorization", value.parse().unwrap());
        request
    };
    let without = |name: &str| {
        let mut request = get().by_header();
        request.headers_mut().remove(name);
        request
    };
    let of = |change: fn(&mut Signed)| {
        let mut request = get();
        change(&mut request);
        request
    };
    let old = |request: &mut Signed| request.date = "20200101T000000Z".into();
    for (name, request, status, code) in [
        ("a URL that has expired", of(old).by_url("60"), 403, "AccessDenied"),
        ("a URL of no life", get().by_url("0"), 403, "AccessDenied"),
        // AWS: 400. The suite of Ceph wants this.
        ("a URL of eight days", get().by_url("691200"), 403, "AuthorizationQueryParametersError"),
        ("a URL that ends before it begins", get().by_url("-7"), 403, "AuthorizationQueryParametersError"),
        ("a URL whose life is no number", get().by_url("x"), 403, "AuthorizationQueryParametersError"),
        ("an old request", of(old).by_header(), 403, "RequestTimeTooSkewed"),
        (
            "an unknown key",
            of(|request| request.access_key = "NOBODY").by_header(),
            403,
            "InvalidAccessKeyId",
        ),
        // AWS: 400 AuthorizationHeaderMalformed for region, day and service. s3s decides; it takes any region.
        ("another region", of(|request| request.region = "mars-1").by_header(), 200, ""),
        (
            "another day",
            of(|request| request.scope_date = Some("20200101")).by_header(),
            403,
            "SignatureDoesNotMatch",
        ),
        ("another service", of(|request| request.service = "ec2").by_header(), 501, "NotImplemented"),
        (
            "another signature",
            {
                let mut request = get();
                request.headers.insert("x-amz-date".into(), request.date.clone());
                let mut request = request.by_header();
                *request.uri_mut() = "/photos/other".parse().unwrap();
                request
            },
            403,
            "SignatureDoesNotMatch",
        ),
        // AWS: 400 AuthorizationHeaderMalformed, and InvalidArgument for the second. s3s decides.
        ("half an authorization", header("AWS4-HMAC-SHA256 Credential=KEY"), 400, "InvalidRequest"),
        ("another kind of authorization", header("Bearer x"), 400, "InvalidRequest"),
        ("a signature of version 2", header("AWS KEY:c2ln"), 403, "SignatureDoesNotMatch"),
        // AWS: 403 AccessDenied. s3s decides.
        ("no date", without("x-amz-date"), 400, "InvalidRequest"),
        ("no hash", without("x-amz-content-sha256"), 400, "InvalidRequest"),
        ("no signature", without("authorization"), 403, "AccessDenied"),
    ] {
        let told = pair.exchange(request).await.refused();
        assert_eq!(told, (status, code.to_owned()), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_contradicts_itself_is_refused() {
    let pair = Pair::start().await;
    let put = || pair.signed("PUT", "/photos/k");
    let two = |a: (&str, &str), b: (&str, &str)| put().with(a.0, a.1).with(b.0, b.1).by_header();
    for (name, request, status, code) in [
        (
            "two checksums",
            two(("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-crc32c", "AAAAAA==")),
            400,
            "InvalidRequest",
        ),
        ("two conditions", two(("if-match", "*"), ("if-none-match", "*")), 501, "NotImplemented"),
        (
            "an unknown directive",
            two(("x-amz-copy-source", "photos/k"), ("x-amz-metadata-directive", "MOVE")),
            400,
            "InvalidArgument",
        ),
        (
            "a checksum of parts for one of a whole",
            {
                let create =
                    pair.signed("POST", "/photos/k?uploads").with("x-amz-checksum-algorithm", "SHA256");
                create.with("x-amz-checksum-type", "FULL_OBJECT").by_header()
            },
            400,
            "InvalidRequest",
        ),
    ] {
        assert_eq!(pair.exchange(request).await.refused(), (status, code.to_owned()), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_tells_its_length_and_not_too_great_a_one() {
    let pair = Pair::start().await;
    let unsigned: Request<Full<Bytes>> =
        pair.signed("PUT", "/photos/k").with("x-amz-content-sha256", "UNSIGNED-PAYLOAD").by_header();
    for (length, status, code) in
        [("", "411", "MissingContentLength"), ("content-length: 5368709121\r\n", "400", "EntityTooLarge")]
    {
        let mut text = format!("PUT /photos/k HTTP/1.1\r\nconnection: close\r\n{length}").into_bytes();
        for (name, value) in unsigned.headers() {
            text.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        text.extend_from_slice(b"\r\n");
        let mut conn = pair.dial();
        conn.write_all(&text).await.unwrap();
        let mut answer = Vec::new();
        conn.read_to_end(&mut answer).await.ok();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains(&format!("<Code>{code}</Code>")), "{answer}");
    }
}
