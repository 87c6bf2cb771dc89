//! A cache that is damaged, lost or read-only costs time and never a build.

use std::fs;

use crate::shop::Shop;

const TEXT: &str = "[image.a]\ndockerfile = 'a.dockerfile'\ncontexts = { b = ':b' }\n[image.b]\n#--- a.dockerfile\nFROM b\n#--- Dockerfile\nFROM scratch\nCOPY x /\n#--- x\n1\n";

#[test]
fn a_damaged_record_is_a_warning_and_a_build() {
    let damages: [fn(&std::path::Path); 4] = [
        |file| fs::write(file, "").unwrap(),
        |file| fs::write(file, "not a record\n{}").unwrap(),
        |file| {
            let mut bytes = fs::read(file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(file, bytes).unwrap();
        },
        |file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..bytes.len() - 1]).unwrap();
        },
    ];
    for damage in damages {
        let shop = Shop::new(TEXT);
        shop.run("//:a");
        let records = shop.cache_files("actions");
        assert_eq!(records.len(), 2, "{records:?}");
        records.iter().for_each(|record| damage(record));
        assert!(!shop.plan_warnings("//:a").is_empty());
        let ran = shop.run("//:a");
        assert_eq!(ran.lines(), ["//:a built", "//:b built"]);
        assert!(
            ran.warnings.iter().any(|warning| warning.starts_with("the cache file `")),
            "{:?}",
            ran.warnings
        );
        let again = shop.run("//:a");
        assert_eq!(again.lines(), ["//:a cached", "//:b cached"]);
        assert_eq!(again.warnings, Vec::<String>::new());
    }
}

/// Records are moved to each other's names: each is refused.
#[test]
fn a_record_under_another_name_is_damaged() {
    let shop = Shop::new(TEXT);
    shop.run("//:a");
    let records = shop.cache_files("actions");
    let [one, other] = records.as_slice() else { panic!("{records:?}") };
    let aside = one.with_extension("aside");
    for (from, to) in [(one, &aside), (other, one), (&aside, other)] {
        fs::rename(from, to).unwrap();
    }
    assert_eq!(shop.run("//:a").lines(), ["//:a built", "//:b built"]);
}
