//! `docs/settings.md` says what the table of settings says.

use std::path::Path;
use std::{env, fs};

use indrik::config::settings_markdown;

/// With `INDRIK_BLESS=1` the page is written anew.
#[test]
fn the_settings_page_is_current() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let want = settings_markdown();
    if env::var_os("INDRIK_BLESS").is_some_and(|bless| bless == "1") {
        fs::write(&page, &want).expect("docs/settings.md can be written");
    }
    let found = fs::read_to_string(&page).unwrap_or_default();
    assert!(found == want, "docs/settings.md is not current; INDRIK_BLESS=1 cargo test --test settings_doc writes it");
}
