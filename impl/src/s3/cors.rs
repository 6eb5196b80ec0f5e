//! Cross-origin rules: which pages of other origins a browser may let use a bucket.
//!
//! A browser asks first (a preflight, `OPTIONS`) or sends the request and looks at the answer; both are answered from the
//! rules of the bucket. The rules do not protect the bucket: a client that is no browser does not ask.
//!
//! Invariants: the first rule that fits answers; credentials are granted to a named origin, never to `*`; an answer varies
//! by the headers that it was chosen by, so that a cache does not hand it to another origin.
//! Source: Amazon S3 User Guide, "Using cross-origin resource sharing (CORS)"; WHATWG Fetch, "CORS protocol".

use super::refusal::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most rules of a bucket, as S3 has it.
const RULES_MAX: usize = 100;
/// Most characters of a rule's id, as S3 has it.
const ID_CHARS_MAX: usize = 255;
/// The methods that a rule may allow.
const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];

/// A rule as its bucket's owner put it; [`validate`] has passed it before it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    /// Each with at most one `*`.
    pub(super) allowed_origins: Vec<String>,
    pub(super) allowed_methods: Vec<String>,
    /// Each with at most one `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) allowed_headers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) expose_headers: Vec<String>,
    /// How long a browser may remember a preflight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_age_seconds: Option<i32>,
}

/// What a page may do, for the answer's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// The asking origin, or `*`.
    pub(super) allow_origin: String,
    pub(super) allow_methods: Vec<String>,
    /// Those that were asked for.
    pub(super) allow_headers: Vec<String>,
    pub(super) expose_headers: Vec<String>,
    pub(super) max_age_seconds: Option<i32>,
}

/// Whether S3 would take the rules.
pub(super) fn validate(rules: &[Rule]) -> Result<(), Refusal> {
    if rules.is_empty() || rules.len() > RULES_MAX {
        let message = format!("a CORS configuration has 1 to {RULES_MAX} rules, not {}", rules.len());
        return Err(Refusal::malformed(message));
    }
    let mut ids = BTreeSet::new();
    for (index, rule) in rules.iter().enumerate() {
        rule.validate().map_err(|refusal| Refusal {
            message: format!("CORS rule {}: {}", index + 1, refusal.message),
            ..refusal
        })?;
        if let Some(id) = &rule.id
            && !ids.insert(id)
        {
            return Err(Refusal::request(format!("CORS rule id {id:?} comes twice; give each rule its own")));
        }
    }
    Ok(())
}

/// What the rules grant to a page of `origin`: the first that allows origin, method and headers. A request that is no
/// preflight asks for no headers; S3 takes its method from `Access-Control-Request-Method` too, if it has one. Nothing:
/// answer a preflight with 403, and anything else without these headers.
pub(super) fn answer(
    rules: &[Rule],
    origin: &str,
    method: &str,
    requested_headers: &[&str],
) -> Option<Grant> {
    rules.iter().find_map(|rule| rule.grant(origin, method, requested_headers))
}

impl Rule {
    fn validate(&self) -> Result<(), Refusal> {
        if self.allowed_origins.is_empty() || self.allowed_methods.is_empty() {
            return Err(Refusal::malformed("name at least one AllowedOrigin and one AllowedMethod"));
        }
        if self.id.as_ref().is_some_and(|id| id.chars().count() > ID_CHARS_MAX) {
            return Err(Refusal::request(format!("an ID has at most {ID_CHARS_MAX} characters")));
        }
        if let Some(method) = self.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            let known = METHODS.join(", ");
            return Err(Refusal::request(format!("unsupported AllowedMethod {method:?}; use {known}")));
        }
        let mut patterns = self.allowed_origins.iter().chain(&self.allowed_headers);
        if let Some(pattern) = patterns.find(|pattern| pattern.matches('*').count() > 1) {
            return Err(Refusal::request(format!("{pattern:?} has more than one wildcard")));
        }
        if let Some(header) = self.expose_headers.iter().find(|header| header.contains('*')) {
            return Err(Refusal::request(format!(
                "ExposeHeader {header:?} has a wildcard; name each header"
            )));
        }
        if self.max_age_seconds.is_some_and(|seconds| seconds < 0) {
            return Err(Refusal::request("MaxAgeSeconds is not negative"));
        }
        Ok(())
    }

    fn grant(&self, origin: &str, method: &str, requested_headers: &[&str]) -> Option<Grant> {
        let allowed = self.allowed_origins.iter().find(|pattern| fits(pattern, origin))?;
        let allows_header = |name: &&str| {
            let name = name.to_ascii_lowercase();
            self.allowed_headers.iter().any(|pattern| fits(&pattern.to_ascii_lowercase(), &name))
        };
        if !self.allowed_methods.iter().any(|allowed| allowed == method)
            || !requested_headers.iter().all(allows_header)
        {
            return None;
        }
        Some(Grant {
            allow_origin: if allowed == "*" { "*".into() } else { origin.to_owned() },
            allow_methods: self.allowed_methods.clone(),
            allow_headers: requested_headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
            expose_headers: self.expose_headers.clone(),
            max_age_seconds: self.max_age_seconds,
        })
    }
}

impl Grant {
    /// The headers of the answer. `Access-Control-Allow-Headers` and `-Max-Age` mean something to a preflight only, and
    /// S3 sends them with every answer.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("access-control-allow-origin", self.allow_origin.clone()),
            ("access-control-allow-methods", self.allow_methods.join(", ")),
            ("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method".to_owned()),
        ];
        if self.allow_origin != "*" {
            headers.push(("access-control-allow-credentials", "true".to_owned()));
        }
        for (name, list) in [
            ("access-control-allow-headers", &self.allow_headers),
            ("access-control-expose-headers", &self.expose_headers),
        ] {
            if !list.is_empty() {
                headers.push((name, list.join(", ")));
            }
        }
        if let Some(seconds) = self.max_age_seconds {
            headers.push(("access-control-max-age", seconds.to_string()));
        }
        headers
    }
}

/// Whether a text fits a pattern with at most one `*`.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(ToString::to_string).collect()
    }

    fn rule(origin: &str, method: &str) -> Rule {
        Rule { allowed_origins: list(&[origin]), allowed_methods: list(&[method]), ..Rule::default() }
    }

    fn origin(rules: &[Rule], origin: &str, method: &str) -> Option<String> {
        answer(rules, origin, method, &[]).map(|grant| grant.allow_origin)
    }

    #[test]
    fn an_origin_fits_with_one_wildcard_anywhere() {
        let rules = ["*suffix", "start*end", "prefix*"].map(|origin| rule(origin, "GET"));
        for page in ["foo.suffix", "startend", "start12end", "prefix", "prefix.suffix"] {
            assert_eq!(origin(&rules, page, "GET").as_deref(), Some(page));
        }
        for page in ["foo.bar", "foo.suffix.get", "0start12end", "bla.prefix", "star", "startnd", ""] {
            assert_eq!(origin(&rules, page, "GET"), None, "{page}");
        }
        assert_eq!(origin(&rules, "foo.suffix", "PUT"), None);
        assert!(!fits("aba*aba", "aba"), "start and end do not overlap");
    }

    #[test]
    fn the_first_rule_that_fits_answers() {
        let rules = [rule("https://a", "GET"), rule("*", "PUT"), rule("https://a", "PUT")];
        assert_eq!(origin(&rules, "https://a", "GET").as_deref(), Some("https://a"));
        assert_eq!(origin(&rules, "https://a", "PUT").as_deref(), Some("*"));
        assert_eq!(origin(&rules, "https://b", "GET"), None);
    }

    #[test]
    fn every_requested_header_must_be_allowed_whatever_its_case() {
        let rules =
            [Rule { allowed_headers: list(&["X-Amz-*", "content-type"]), ..rule("https://a", "PUT") }];
        let asked = |headers: &[&str]| answer(&rules, "https://a", "PUT", headers);
        assert_eq!(
            asked(&["x-amz-Date", "Content-Type"]).unwrap().allow_headers,
            ["x-amz-date", "content-type"]
        );
        assert_eq!(asked(&["x-amz-date", "authorization"]), None);
        assert_eq!(answer(&[rule("*", "GET")], "https://a", "GET", &["x-amz-meta-a"]), None);
    }

    #[test]
    fn an_answer_grants_credentials_to_a_named_origin_only() {
        let named = answer(&[rule("https://*", "GET")], "https://a", "GET", &[]).unwrap().headers();
        assert!(named.contains(&("access-control-allow-credentials", "true".into())));
        let any = answer(&[rule("*", "GET")], "https://a", "GET", &[]).unwrap().headers();
        assert!(any.iter().all(|(name, _)| *name != "access-control-allow-credentials"));
        for headers in [named, any] {
            assert!(headers.iter().any(|(name, value)| *name == "vary" && value.starts_with("Origin")));
            assert!(
                headers.iter().all(|(_, value)| !value.is_empty()),
                "what the rule does not say is not sent"
            );
        }
    }

    #[test]
    fn an_answer_carries_what_the_rule_says() {
        let rule = Rule {
            allowed_methods: list(&["GET", "PUT"]),
            allowed_headers: list(&["*"]),
            expose_headers: list(&["ETag", "x-amz-version-id"]),
            max_age_seconds: Some(3000),
            ..rule("https://a", "")
        };
        let headers = answer(&[rule], "https://a", "PUT", &["Content-MD5"]).unwrap().headers();
        for expected in [
            ("access-control-allow-origin", "https://a"),
            ("access-control-allow-methods", "GET, PUT"),
            ("access-control-allow-headers", "content-md5"),
            ("access-control-expose-headers", "ETag, x-amz-version-id"),
            ("access-control-max-age", "3000"),
        ] {
            assert!(headers.contains(&(expected.0, expected.1.to_owned())), "{expected:?}");
        }
    }

    #[test]
    fn rules_that_s3_would_not_take_are_refused() {
        let code = |rules: &[Rule]| validate(rules).err().map(|refusal| refusal.code);
        let good = rule("*", "GET");
        let most = Rule { id: Some("i".repeat(255)), max_age_seconds: Some(0), ..good.clone() };
        assert_eq!(code(&[most]), None);
        assert_eq!(code(&vec![good.clone(); 100]), None);
        assert_eq!(code(std::slice::from_ref(&good)), None);
        assert_eq!(code(&[]), Some("MalformedXML"));
        assert_eq!(code(&vec![good.clone(); 101]), Some("MalformedXML"));
        assert_eq!(code(&[Rule { allowed_origins: vec![], ..good.clone() }]), Some("MalformedXML"));
        let invalid = [
            rule("https://*.*", "GET"),
            rule("*", "PATCH"),
            rule("*", "get"),
            Rule { allowed_headers: list(&["x-*-*"]), ..good.clone() },
            Rule { expose_headers: list(&["x-*"]), ..good.clone() },
            Rule { max_age_seconds: Some(-1), ..good.clone() },
            Rule { id: Some("i".repeat(256)), ..good.clone() },
        ];
        for rule in invalid {
            assert_eq!(code(&[rule]), Some("InvalidRequest"));
        }
        let twice = Rule { id: Some("a".into()), ..good };
        assert_eq!(code(&[twice.clone(), twice]), Some("InvalidRequest"));
        let message = validate(&[rule("*", "GET"), rule("*", "PATCH")]).unwrap_err().message;
        assert!(message.starts_with("CORS rule 2: unsupported AllowedMethod \"PATCH\""), "{message}");
    }

    #[test]
    fn stored_rules_read_back_the_same() {
        let rules = vec![
            rule("*", "GET"),
            Rule { id: Some("b".into()), max_age_seconds: Some(1), ..rule("a", "PUT") },
        ];
        let stored = serde_json::to_string(&rules).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Rule>>(&stored).unwrap(), rules);
        assert_eq!(
            serde_json::to_string(&rules[0]).unwrap(),
            r#"{"allowed_origins":["*"],"allowed_methods":["GET"]}"#
        );
    }
}
