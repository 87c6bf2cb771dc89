//! Which manifest of an index is for a platform.
//!
//! As containerd's `platforms.Only` chooses, which BuildKit uses: the platform itself, then older variants of
//! the same processor that it runs as well, then the 32-bit processor that it contains. Manifests that say
//! nothing of a platform come last: their configuration tells.

use crate::types::platform::Platform;

use super::manifest::{Descriptor, PlatformNames};

/// How well what is built for `offered` runs on `wanted`: 0 is best, `None` where it does not run.
pub fn rank(wanted: &Platform, offered: &Platform) -> Option<usize> {
    if wanted.os() != offered.os() {
        return None;
    }
    let offered = (offered.architecture(), offered.variant());
    accepted(wanted).iter().position(|one| (one.0.as_str(), one.1.as_deref()) == offered)
}

/// Architectures and variants, best first, normalised as [`Platform`] does it.
fn accepted(wanted: &Platform) -> Vec<(String, Option<String>)> {
    let own = (wanted.architecture(), wanted.variant());
    let mut accepted = vec![(own.0.to_owned(), own.1.map(str::to_owned))];
    let number = own.1.and_then(|variant| variant.strip_prefix('v')?.parse::<u32>().ok());
    let mut older_arm = |below: u32| {
        let variants = (5..below.min(9)).rev().map(|version| Some(format!("v{version}")));
        accepted.extend(variants.map(|variant| ("arm".to_owned(), variant)));
    };
    match own.0 {
        "arm" => older_arm(number.unwrap_or(7)),
        "arm64" => {
            older_arm(9);
            if own.1.is_some() {
                accepted.insert(1, ("arm64".to_owned(), None));
            }
        }
        "amd64" => {
            // `v1` is written without a variant.
            for version in (1..number.unwrap_or(1).min(10)).rev() {
                accepted.push(("amd64".to_owned(), (version > 1).then(|| format!("v{version}"))));
            }
            accepted.push(("386".to_owned(), None));
        }
        _ => {}
    }
    accepted
}

/// The platform that an index or a configuration names; `None` where it names none that can be.
pub fn platform_of(names: &PlatformNames) -> Option<Platform> {
    let variant = names.variant.as_deref().filter(|variant| !variant.is_empty());
    let variant = variant.map_or_else(String::new, |variant| format!("/{variant}"));
    format!("{}/{}{variant}", names.os, names.architecture).parse().ok()
}

/// The manifests of an index that may be for the platform, best first. Those that name no platform come last.
pub fn candidates<'i>(index: &'i [Descriptor], wanted: &Platform) -> Vec<&'i Descriptor> {
    let mut found: Vec<(usize, &Descriptor)> = index
        .iter()
        .filter(|descriptor| !descriptor.is_attestation())
        .filter_map(|descriptor| match &descriptor.platform {
            None => Some((usize::MAX, descriptor)),
            Some(names) => Some((rank(wanted, &platform_of(names)?)?, descriptor)),
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, descriptor)| descriptor).collect()
}

/// What an index is there for, as it writes it, for a message.
pub fn available(index: &[Descriptor]) -> Vec<String> {
    let images = index.iter().filter(|descriptor| !descriptor.is_attestation());
    let platforms = images.filter_map(|descriptor| platform_of(descriptor.platform.as_ref()?));
    let mut available: Vec<String> = platforms.map(|platform| platform.to_string()).take(50).collect();
    available.sort();
    available.dedup();
    available
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::blob_digest::BlobDigest;

    fn descriptor(platform: &str) -> Descriptor {
        let mut parts = platform.split('/').map(str::to_owned);
        let mut found = Descriptor::new("", BlobDigest::of(platform.as_bytes()), 1);
        if platform != "-" {
            let os = parts.next().unwrap();
            let architecture = parts.next().unwrap();
            found.platform = Some(PlatformNames { architecture, os, variant: parts.next() });
        }
        found
    }

    fn check(wanted: &str, offered: &[&str], expected: &[&str]) {
        let index: Vec<Descriptor> = offered.iter().map(|platform| descriptor(platform)).collect();
        let wanted = wanted.parse().unwrap();
        let found: Vec<BlobDigest> = candidates(&index, &wanted).iter().map(|found| found.digest).collect();
        let expected: Vec<BlobDigest> = expected.iter().map(|platform| descriptor(platform).digest).collect();
        assert_eq!(found, expected, "{wanted} of {offered:?}");
    }

    #[test]
    fn the_best_that_runs_is_first() {
        check("linux/amd64", &["linux/arm64", "linux/amd64"], &["linux/amd64"]);
        check(
            "linux/amd64",
            &["linux/386", "linux/amd64/v2", "linux/x86_64"],
            &["linux/x86_64", "linux/386"],
        );
        check(
            "linux/amd64/v3",
            &["linux/amd64", "linux/amd64/v4", "linux/amd64/v2"],
            &["linux/amd64/v2", "linux/amd64"],
        );
        check("linux/arm64", &["linux/arm/v7", "linux/arm64/v8"], &["linux/arm64/v8", "linux/arm/v7"]);
        check(
            "linux/arm",
            &["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"],
            &["linux/arm/v6", "linux/arm/v5"],
        );
        check("linux/arm/v6", &["linux/arm/v7"], &[]);
        check("linux/amd64", &["windows/amd64", "unknown/unknown", "-", "linux/386"], &["linux/386", "-"]);
    }
}
