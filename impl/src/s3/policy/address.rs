//! Networks of IP addresses, as `aws:SourceIp` is compared with them.
//!
//! Invariants: a prefix is at most as long as its family's addresses; an IPv4 address that arrives in IPv6 form is IPv4.
//! Source: RFC 4632 (CIDR), RFC 4291 §2.5.5.2.

use std::net::IpAddr;

/// Addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    prefix_bits: u32,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a lone address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (_, width) = bits(address);
        let prefix_bits = prefix.map_or(Some(width), |prefix| prefix.parse().ok())?;
        (prefix_bits <= width).then_some(Self { address, prefix_bits })
    }

    /// Whether an address, as text, is of the network.
    pub(super) fn contains(&self, address: &str) -> bool {
        let Ok(address) = address.parse::<IpAddr>() else { return false };
        let (wanted, width) = bits(self.address);
        let (found, found_width) = bits(address.to_canonical());
        // A shift by the full width is zero: the empty prefix is every address.
        let head = |bits: u128| bits.checked_shr(width - self.prefix_bits).unwrap_or(0);
        width == found_width && head(wanted) == head(found)
    }

    /// Whether it is so large that S3 takes it for the public: shorter than /8 (IPv4) or /32 (IPv6).
    pub(super) fn is_public(&self) -> bool {
        match self.address {
            IpAddr::V4(_) => self.prefix_bits < 8,
            IpAddr::V6(_) => self.prefix_bits < 32,
        }
    }
}

/// An address as a number, and its width.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address)
    }

    #[test]
    fn a_network_holds_the_addresses_that_share_its_first_bits() {
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("192.0.2.1", "192.0.2.1"));
        assert!(!contains("192.0.2.1", "192.0.2.2"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("::/0", "::1"));
    }

    #[test]
    fn families_do_not_mix_but_for_ipv4_in_ipv6_form() {
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(!contains("::/0", "10.1.2.3"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(!contains("0.0.0.0/0", "unknown"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/-1", "*", "::1/64/2"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_network_shorter_than_8_or_32_bits_is_public() {
        let is_public = |text| Network::parse(text).unwrap().is_public();
        assert!(is_public("0.0.0.0/0") && is_public("8.0.0.0/7") && is_public("2000::/31"));
        assert!(!is_public("10.0.0.0/8") && !is_public("10.0.0.0/32") && !is_public("2001:db8::/32"));
    }
}
