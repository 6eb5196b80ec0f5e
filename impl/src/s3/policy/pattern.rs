//! Texts with wildcards: `*` is any run of characters, `?` any one.
//!
//! Invariant: a match takes time within the product of both lengths, whatever the pattern: clients write patterns, and
//! every request is tested against them.
//! Source: IAM User Guide, "IAM JSON policy elements: Resource" and "Action".

/// A text that may hold wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(String);

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether the whole text fits. Only the last `*` passed is tried again: it can stand in for every earlier one.
    pub(super) fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut text) = (self.0.as_str(), text);
        let mut last_star: Option<(&str, &str)> = None;
        loop {
            let (mut pattern_rest, mut text_rest) = (pattern.chars(), text.chars());
            match (pattern_rest.next(), text_rest.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    pattern = pattern_rest.as_str();
                    last_star = Some((pattern, text));
                }
                (Some(wanted), Some(found)) if wanted == '?' || wanted == found => {
                    (pattern, text) = (pattern_rest.as_str(), text_rest.as_str());
                }
                _ => {
                    let Some((after, from)) = last_star else { return false };
                    let mut from = from.chars();
                    if from.next().is_none() {
                        return false;
                    }
                    (pattern, text) = (after, from.as_str());
                    last_star = Some((after, text));
                }
            }
        }
    }

    /// Whether some text that begins with `start` fits.
    pub(super) fn may_start_with(&self, start: &str) -> bool {
        let mut pattern = self.0.chars();
        for found in start.chars() {
            match pattern.next() {
                Some('*') => return true,
                Some(wanted) if wanted == '?' || wanted == found => {}
                _ => return false,
            }
        }
        true
    }

    /// Whether it has wildcards.
    pub(super) fn is_open(&self) -> bool {
        self.0.contains(['*', '?'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fits(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).matches(text)
    }

    #[test]
    fn a_star_is_any_run_and_a_question_mark_one_character() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("a*", "a"),
            ("a*b*c", "axxbxbxc"),
            ("*.jpg", "a/b.jpg"),
            ("?", "é"),
            ("**a", "aa"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", ""), ("?", ""), ("a*", "b"), ("a*b", "ab1"), ("??", "é")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_cheap() {
        assert!(!fits(&("*a".repeat(500) + "b"), &"a".repeat(1024)));
    }

    #[test]
    fn the_start_of_a_fitting_text_is_told() {
        for pattern in ["*", "bucket/*", "buck*", "b?cket/key", "bucket/"] {
            assert!(Pattern::new(pattern).may_start_with("bucket/"), "{pattern}");
        }
        for pattern in ["", "bucket", "other/*", "bucket2/*"] {
            assert!(!Pattern::new(pattern).may_start_with("bucket/"), "{pattern}");
        }
    }

    /// The definition, too slow for long texts.
    fn fits_slowly(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=text.len()).any(|taken| fits_slowly(rest, &text[taken..])),
            (['?', rest @ ..], [_, texts @ ..]) => fits_slowly(rest, texts),
            ([wanted, rest @ ..], [found, texts @ ..]) => wanted == found && fits_slowly(rest, texts),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_match_is_what_the_definition_says(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let slow = fits_slowly(
                &pattern.chars().collect::<Vec<_>>(),
                &text.chars().collect::<Vec<_>>(),
            );
            prop_assert_eq!(fits(&pattern, &text), slow);
        }
    }
}
