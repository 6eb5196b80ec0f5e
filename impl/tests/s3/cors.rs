//! Cross-origin rules: preflight requests, and what is told on answers of every kind.

use super::{
    Answer, Pair,
    ask::{ANN, NOBODY},
    eventually,
};

const RULES: &str = "<CORSConfiguration>\
    <CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*suffix</AllowedOrigin></CORSRule>\
    <CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>*.put</AllowedOrigin>\
    <AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds>\
    </CORSRule></CORSConfiguration>";
const METHOD: &str = "access-control-request-method";

fn granted(answer: &Answer) -> (&str, &str) {
    (answer.header("access-control-allow-origin"), answer.header("access-control-allow-methods"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_told_on_every_answer_what_the_buckets_rules_grant() {
    let pair = Pair::start().await;
    let missing = (404, "NoSuchCORSConfiguration".to_owned());
    assert_eq!(pair.say(0, ANN, "GET /photos?cors").await.refused(), missing);
    pair.ask(0, ANN, "PUT /photos?acl", &[("x-amz-acl", "public-read")], "").await.ok();
    pair.ask(0, ANN, "PUT /photos?cors", &[], RULES).await.ok();
    let told = pair.say(0, ANN, "GET /photos?cors").await.ok();
    assert_eq!(told.all("AllowedOrigin"), ["*suffix", "*.put"]);
    let (page, put_page) = (("origin", "foo.suffix"), ("origin", "foo.put"));
    for (line, headers, status, expected) in [
        ("GET /photos", &[][..], 200, ("", "")),
        ("GET /photos", &[page], 200, ("foo.suffix", "GET")),
        ("GET /photos", &[("origin", "foo.bar")], 200, ("", "")),
        ("GET /photos/none", &[page], 404, ("foo.suffix", "GET")),
        ("PUT /photos/k", &[page], 403, ("", "")),
        ("PUT /photos/k", &[page, (METHOD, "GET")], 403, ("foo.suffix", "GET")),
        ("PUT /photos/k", &[page, (METHOD, "PUT")], 403, ("", "")),
        ("PUT /photos/k", &[put_page], 403, ("foo.put", "PUT")),
        ("OPTIONS /photos", &[page], 400, ("", "")),
        ("OPTIONS /photos", &[(METHOD, "GET")], 400, ("", "")),
        ("OPTIONS /photos", &[page, (METHOD, "GET")], 200, ("foo.suffix", "GET")),
        ("OPTIONS /photos/k", &[page, (METHOD, "PUT")], 403, ("", "")),
        ("OPTIONS /photos/k", &[put_page, (METHOD, "PUT")], 200, ("foo.put", "PUT")),
        ("OPTIONS /none/k", &[page, (METHOD, "GET")], 404, ("", "")),
    ] {
        let answer = pair.ask(0, NOBODY, line, headers, "").await;
        assert_eq!((answer.status.as_u16(), granted(&answer)), (status, expected), "{line} {headers:?}");
    }
    let with_headers = |names| [put_page, (METHOD, "PUT"), ("access-control-request-headers", names)];
    let answer =
        pair.ask(0, NOBODY, "OPTIONS /photos/k", &with_headers("x-amz-date, X-Amz-Acl"), "").await.ok();
    assert_eq!(answer.header("access-control-allow-headers"), "x-amz-date, x-amz-acl");
    assert_eq!(answer.header("access-control-expose-headers"), "ETag");
    assert_eq!(answer.header("access-control-max-age"), "60");
    let answer = pair.ask(0, NOBODY, "OPTIONS /photos/k", &with_headers("authorization"), "").await;
    assert_eq!(answer.refused(), (403, "AccessForbidden".into()));
    eventually("the rules arrive", async || {
        let answer = pair.ask(1, NOBODY, "OPTIONS /photos", &[page, (METHOD, "GET")], "").await;
        (answer.status.as_u16() == 200).then_some(())
    })
    .await;
    let wrong = RULES.replace("GET", "PATCH");
    let wrong = pair.ask(0, ANN, "PUT /photos?cors", &[], wrong).await;
    assert_eq!(wrong.refused(), (400, "InvalidRequest".into()));
    assert_eq!(pair.say(0, ANN, "DELETE /photos?cors").await.status.as_u16(), 204);
    assert_eq!(pair.say(0, ANN, "GET /photos?cors").await.refused(), missing);
    let after = pair.ask(0, NOBODY, "OPTIONS /photos", &[page, (METHOD, "GET")], "").await;
    assert_eq!(after.refused(), (403, "AccessForbidden".into()));
}
