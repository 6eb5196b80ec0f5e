//! Who may do what by lists: several accounts and nobody, at both sites.

use super::{
    Pair,
    ask::{ANN, BOB, EVE, NOBODY, denied},
    eventually,
};

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";

fn acl(owner: &str, grants: &[(&str, &str)]) -> String {
    let grant = |(who, what): &(&str, &str)| {
        let (kind, name) = if who.starts_with("http") { ("Group", "URI") } else { ("CanonicalUser", "ID") };
        format!(
            "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">\
             <{name}>{who}</{name}></Grantee><Permission>{what}</Permission></Grant>"
        )
    };
    let grants: String = grants.iter().map(grant).collect();
    format!(
        "<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList>{grants}</AccessControlList>\
         </AccessControlPolicy>"
    )
}

impl Pair {
    async fn canned(&self, who: Option<&str>, line: &str, acl: &str) -> (u16, String) {
        self.ask(0, who, line, &[("x-amz-acl", acl)], "").await.refused()
    }

    async fn is(&self, who: Option<&str>, line: &str) -> (u16, String) {
        self.say(0, who, line).await.refused()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nothing_allows_is_refused_to_everybody_but_the_owner() {
    let pair = Pair::start().await;
    pair.put(0, "k", "body").await.ok();
    for line in [
        "GET /photos",
        "GET /photos?acl",
        "GET /photos?versions",
        "GET /photos?uploads",
        "GET /photos?location",
        "GET /photos?policy",
        "GET /photos?ownershipControls",
        "PUT /photos?acl",
        "DELETE /photos",
        "GET /photos/k",
        "GET /photos/none",
        "GET /photos/k?acl",
        "GET /photos/k?tagging",
        "DELETE /photos/k?tagging",
        "PUT /photos/k",
        "PUT /photos/new",
        "DELETE /photos/k",
        "POST /photos/k?uploads",
    ] {
        for who in [BOB, NOBODY] {
            assert_eq!(pair.is(who, line).await, denied(), "{who:?}: {line}");
        }
    }
    for line in ["HEAD /photos", "HEAD /photos/k", "HEAD /photos/none"] {
        assert_eq!(pair.say(0, NOBODY, line).await.status.as_u16(), 403, "{line}");
    }
    let copy = pair.ask(0, BOB, "PUT /mine", &[], "").await;
    copy.ok();
    let stolen = pair.ask(0, BOB, "PUT /mine/k", &[("x-amz-copy-source", "/photos/k")], "").await;
    assert_eq!(stolen.refused(), denied());
    let delete = "<Delete><Object><Key>k</Key></Object></Delete>";
    let deleted = pair.ask(0, BOB, "POST /photos?delete", &[], delete).await;
    assert_eq!(deleted.all("Code"), ["AccessDenied"]);
    assert_eq!(pair.is(NOBODY, "GET /nothing/k").await, (404, "NoSuchBucket".into()));
    assert_eq!(pair.is(NOBODY, "PUT /nothing").await, denied());
    assert_eq!(pair.get(0, "k", &[]).await.ok().body, "body");
    let expected = [("x-amz-expected-bucket-owner", "bob")];
    assert_eq!(pair.ask(0, ANN, "GET /photos", &expected, "").await.refused(), denied());
    let expected = [("x-amz-expected-bucket-owner", "ann")];
    pair.ask(0, ANN, "GET /photos", &expected, "").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_lets_in_whom_it_names_and_counts_at_the_other_site() {
    let pair = Pair::start().await;
    pair.put(0, "k", "body").await.ok();
    for (canned, anonymous, stranger) in [
        ("public-read", (true, false), (true, false)),
        ("public-read-write", (true, true), (true, true)),
        ("authenticated-read", (false, false), (true, false)),
        ("private", (false, false), (false, false)),
    ] {
        assert_eq!(pair.canned(ANN, "PUT /photos?acl", canned).await.0, 200);
        for (who, (reads, writes)) in [(NOBODY, anonymous), (BOB, stranger)] {
            let status = pair.is(who, "GET /photos").await.0;
            assert_eq!(status == 200, reads, "{canned}: {who:?}");
            let status = pair.is(who, "PUT /photos/theirs").await.0;
            assert_eq!(status == 200, writes, "{canned}: {who:?}");
            assert_eq!(pair.is(who, "GET /photos/k").await, denied(), "an object has a list of its own");
            let missing = pair.is(who, "GET /photos/none").await;
            assert_eq!(missing == (404, "NoSuchKey".into()), reads, "{canned}: {who:?}");
        }
    }
    assert_eq!(pair.canned(ANN, "PUT /photos/k?acl", "public-read").await.0, 200);
    assert_eq!(pair.is(NOBODY, "GET /photos/k").await.0, 200);
    assert_eq!(pair.is(NOBODY, "GET /photos/k?acl").await, denied());
    eventually("the list arrives", async || {
        (pair.say(1, NOBODY, "GET /photos/k").await.status.as_u16() == 200).then_some(())
    })
    .await;
    let modified = pair.get(0, "k", &[]).await.ok().header("last-modified").to_owned();
    assert_eq!(pair.get(1, "k", &[]).await.ok().header("last-modified"), modified);

    let to_bob = acl("ann", &[("ann", "FULL_CONTROL"), ("bob", "READ"), (ALL_USERS, "READ_ACP")]);
    pair.ask(0, ANN, "PUT /photos/k?acl", &[], to_bob).await.ok();
    assert_eq!(pair.is(BOB, "GET /photos/k").await.0, 200);
    assert_eq!(pair.is(EVE, "GET /photos/k").await, denied());
    let told = pair.say(0, NOBODY, "GET /photos/k?acl").await.ok();
    assert_eq!(told.all("Permission"), ["READ_ACP", "FULL_CONTROL", "READ"], "groups come first");
    assert_eq!(
        (told.all("URI"), told.all("ID")),
        (vec![ALL_USERS.to_owned()], ["ann", "bob", "ann"].map(str::to_owned).to_vec())
    );
    // Who may do nothing may still be let in by a header, at the write.
    let granted = [("x-amz-grant-read", "id=\"eve\""), ("x-amz-grant-full-control", "id=ann")];
    pair.ask(0, ANN, "PUT /photos/k", &granted, "new").await.ok();
    assert_eq!(pair.is(EVE, "GET /photos/k").await.0, 200);
    assert_eq!(pair.is(BOB, "GET /photos/k").await, denied());
    assert_eq!(pair.canned(ANN, "PUT /open", "public-read").await.0, 200);
    assert_eq!(pair.is(NOBODY, "GET /open").await.0, 200);
    // The same bucket again is no error; another one is.
    assert_eq!(pair.canned(ANN, "PUT /open", "public-read").await.0, 200);
    assert_eq!(pair.is(ANN, "PUT /open").await, (409, "BucketAlreadyExists".into()));
    let listed = pair.say(0, ANN, "GET /open?acl").await.ok();
    assert_eq!(listed.all("Permission"), ["READ", "FULL_CONTROL"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_that_make_no_sense_are_refused() {
    let pair = Pair::start().await;
    pair.put(0, "k", "body").await.ok();
    let argument = (400, "InvalidArgument".to_owned());
    for line in ["PUT /photos?acl", "PUT /photos/k?acl", "PUT /photos/k", "PUT /another"] {
        assert_eq!(pair.canned(ANN, line, "public-ready").await, argument, "{line}");
    }
    for (grantee, code) in [("_foo", "InvalidArgument"), ("http://example.com/group", "InvalidArgument")] {
        let body = acl("ann", &[(grantee, "READ")]);
        assert_eq!(pair.ask(0, ANN, "PUT /photos?acl", &[], body).await.refused(), (400, code.into()));
    }
    let nobody = acl("ann", &[]);
    pair.ask(0, ANN, "PUT /photos?acl", &[], nobody).await.ok();
    assert!(pair.say(0, ANN, "GET /photos?acl").await.ok().all("Permission").is_empty());
    assert_eq!(pair.canned(ANN, "PUT /photos?acl", "private").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_its_writers_and_the_buckets_owner_may_only_end_it() {
    let pair = Pair::start().await;
    assert_eq!(pair.canned(ANN, "PUT /photos?acl", "public-read-write").await.0, 200);
    pair.ask(0, BOB, "PUT /photos/bobs", &[], "bob's").await.ok();
    assert_eq!(pair.is(ANN, "GET /photos/bobs").await, denied());
    assert_eq!(pair.is(ANN, "GET /photos/bobs?acl").await, denied());
    let listed = pair.say(0, ANN, "GET /photos").await.ok();
    assert_eq!(listed.all("ID"), ["bob"]);
    let told = pair.say(0, BOB, "GET /photos/bobs?acl").await.ok();
    assert_eq!(told.all("ID"), ["bob", "bob"]);
    assert_eq!(pair.canned(BOB, "PUT /photos/bobs?acl", "bucket-owner-read").await.0, 200);
    assert_eq!(pair.is(ANN, "GET /photos/bobs").await.0, 200);
    // A copy belongs to who made it, and its source's list is not its own.
    let copy = [("x-amz-copy-source", "/photos/bobs")];
    pair.ask(0, ANN, "PUT /photos/copy", &copy, "").await.ok();
    assert_eq!(pair.say(0, ANN, "GET /photos/copy?acl").await.ok().all("ID"), ["ann", "ann"]);
    assert_eq!(pair.is(BOB, "GET /photos/copy").await, denied());
    pair.ask(0, NOBODY, "PUT /photos/nobodys", &[], "x").await.ok();
    assert_eq!(pair.is(NOBODY, "GET /photos/nobodys").await, denied());
    for line in ["DELETE /photos/bobs", "DELETE /photos/nobodys"] {
        assert_eq!(pair.is(ANN, line).await.0, 204, "{line}");
    }
    let begun = pair.ask(0, BOB, "POST /photos/big?uploads", &[], "").await.ok();
    let id = begun.all("UploadId").remove(0);
    let listed = pair.say(0, ANN, "GET /photos?uploads").await.ok();
    assert_eq!(listed.all("ID"), ["bob", "bob"]);
    assert_eq!(pair.is(BOB, &format!("DELETE /photos/big?uploadId={id}")).await.0, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ownership_controls_decide_whose_an_object_is() {
    let pair = Pair::start().await;
    let controls = |name: &str| {
        format!(
            "<OwnershipControls><Rule><ObjectOwnership>{name}</ObjectOwnership></Rule></OwnershipControls>"
        )
    };
    let put = async |name: &str| {
        pair.ask(0, ANN, "PUT /photos?ownershipControls", &[], controls(name)).await.refused()
    };
    let missing = (404, "OwnershipControlsNotFoundError".to_owned());
    assert_eq!(pair.is(ANN, "GET /photos?ownershipControls").await, missing);
    assert_eq!(pair.canned(ANN, "PUT /photos?acl", "public-read-write").await.0, 200);
    let bad = (400, "InvalidBucketAclWithObjectOwnership".to_owned());
    assert_eq!(put("BucketOwnerEnforced").await, bad);
    assert_eq!(put("BucketOwnerPreferred").await.0, 200);
    let full = "bucket-owner-full-control";
    assert_eq!(pair.canned(BOB, "PUT /photos/given", full).await.0, 200);
    assert_eq!(pair.canned(BOB, "PUT /photos/kept", "private").await.0, 200);
    assert_eq!(pair.say(0, ANN, "GET /photos").await.ok().all("ID"), ["ann", "bob"]);
    let preferred = pair.say(0, ANN, "GET /photos?ownershipControls").await.ok();
    assert_eq!(preferred.all("ObjectOwnership"), ["BucketOwnerPreferred"]);
    // Without lists everything is the bucket's owner's, what there was included.
    assert_eq!(pair.canned(ANN, "PUT /photos?acl", "private").await.0, 200);
    assert_eq!(put("BucketOwnerEnforced").await.0, 200);
    assert_eq!(pair.is(ANN, "GET /photos/kept").await.0, 200);
    let unsupported = (400, "AccessControlListNotSupported".to_owned());
    for line in ["PUT /photos?acl", "PUT /photos/k?acl", "PUT /photos/k"] {
        pair.put(0, "k", "x").await.ok();
        assert_eq!(pair.canned(ANN, line, "private").await, unsupported, "{line}");
    }
    assert_eq!(pair.canned(ANN, "PUT /photos/k", full).await.0, 200);
    let granted = acl("ann", &[(AUTHENTICATED, "READ")]);
    assert_eq!(pair.ask(0, ANN, "PUT /photos/k?acl", &[], granted).await.refused(), unsupported);
    for _ in 0..2 {
        assert_eq!(pair.is(ANN, "DELETE /photos?ownershipControls").await.0, 204);
    }
    assert_eq!(pair.is(ANN, "GET /photos?ownershipControls").await, missing);
    let born = [("x-amz-object-ownership", "BucketOwnerEnforced")];
    pair.ask(0, ANN, "PUT /enforced", &born, "").await.ok();
    let enforced = pair.say(0, ANN, "GET /enforced?ownershipControls").await.ok();
    assert_eq!(enforced.all("ObjectOwnership"), ["BucketOwnerEnforced"]);
}
