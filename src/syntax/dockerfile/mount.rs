//! `RUN --mount=…`: comma-separated keys and values (BuildKit's `commands_runmount.go`).
//!
//! A mount is read twice. With the file, only `from` is: it decides edges, and it takes no variables.
//! With the arguments of a build, everything is, each value expanded.

use std::borrow::Cow;

use super::go_numbers;
use crate::types::diagnostic::nearest;

/// What is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MountKind {
    /// Files of the context, of a stage or of an image.
    #[default]
    Bind,
    /// A folder that outlives the build.
    Cache,
    /// A folder in memory.
    Tmpfs,
    /// A secret of the build.
    Secret,
    /// An SSH agent.
    Ssh,
}

impl MountKind {
    const ALL: [(&'static str, Self); 5] = [
        ("bind", Self::Bind),
        ("cache", Self::Cache),
        ("tmpfs", Self::Tmpfs),
        ("secret", Self::Secret),
        ("ssh", Self::Ssh),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }
}

/// A mount with its values expanded.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// The stage or image; empty for the context.
    pub from: String,
    /// What of it.
    pub source: String,
    /// Where.
    pub target: String,
    /// The name of a cache, a secret or an agent.
    pub id: String,
    /// Whether the build fails without the secret or the agent.
    pub is_required: bool,
    /// Whether it can be written; `None` where the mount does not say.
    pub is_writable: Option<bool>,
    /// The lower twelve bits of the mode of what is made for the mount.
    pub mode: Option<u32>,
    /// The owner of what is made for the mount.
    pub uid: Option<u32>,
    /// Its group.
    pub gid: Option<u32>,
    /// The size in bytes, of a folder in memory.
    pub size: Option<u64>,
    /// The variable that holds a secret.
    pub variable: Option<String>,
    /// Who may use a cache at one time.
    pub sharing: Option<Sharing>,
    has_owner_or_mode: Option<&'static str>,
}

/// Who may use a cache at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// All.
    Shared,
    /// All, each with one of its own where another is in use.
    Private,
    /// One after the other.
    Locked,
}

/// Why a mount is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountError {
    /// One sentence.
    pub message: String,
    /// How to put it right.
    pub help: Option<String>,
}

impl MountError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

const KEYS: [&str; 19] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
    "env",
];

const SHARINGS: [&str; 3] = ["shared", "private", "locked"];

/// The value of `from`, empty when there is none.
///
/// # Errors
/// When the text is not comma-separated, or `from` holds a variable.
pub(super) fn from_of(text: &str) -> Result<String, MountError> {
    let mut from = String::new();
    for field in fields(text)? {
        let Some((key, value)) = field.split_once('=') else { continue };
        if lower(key) != "from" {
            continue;
        }
        if value.find('$').is_some_and(|at| at + 1 != value.len()) {
            let message = "`from` of a mount takes no variables";
            return Err(MountError::new(message)
                .help("begin a stage with `FROM` and the variable, and name that stage"));
        }
        value.clone_into(&mut from);
    }
    Ok(from)
}

/// The text with the value of `from` replaced, quoted in the one way that all equal texts share.
///
/// # Errors
/// When the text is not comma-separated.
pub fn with_from(text: &str, from: Option<&str>) -> Result<String, MountError> {
    let quoted = fields(text)?.into_iter().map(|field| {
        let field = match (field.split_once('='), from) {
            (Some((key, _)), Some(from)) if lower(key) == "from" => format!("from={from}"),
            _ => field.into_owned(),
        };
        let needs_quotes = field.is_empty() || field.contains([',', '"']);
        if needs_quotes { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
    });
    Ok(quoted.collect::<Vec<_>>().join(","))
}

/// Reads a mount, each value expanded by `expand`.
///
/// # Errors
/// When BuildKit refuses it.
pub fn read(
    text: &str,
    mut expand: impl FnMut(&str) -> Result<String, MountError>,
) -> Result<Mount, MountError> {
    let mut mount = Mount::default();
    for field in fields(text)? {
        match field.split_once('=') {
            None => mount.set_word(&field)?,
            Some((key, value)) => {
                let value = expand(value)?;
                mount.set(&lower(key), &field, value)?;
            }
        }
    }
    mount.check()?;
    Ok(mount)
}

impl Mount {
    /// The id of an SSH agent.
    pub fn agent_id(&self) -> &str {
        if self.id.is_empty() { "default" } else { &self.id }
    }

    /// The id of a secret: its own, or the last name of where it is mounted.
    pub fn secret_id(&self) -> String {
        match (self.source.as_str(), self.id.as_str()) {
            ("", "") => {
                let names = self.target.rsplit('/').filter(|name| !name.is_empty() && *name != ".");
                names.take(1).collect()
            }
            ("", id) => id.to_owned(),
            (source, _) => source.to_owned(),
        }
    }

    fn set_word(&mut self, field: &str) -> Result<(), MountError> {
        match field.to_lowercase().as_str() {
            "readonly" | "ro" => {
                self.is_writable = Some(false);
                Ok(())
            }
            "readwrite" | "rw" => {
                self.is_writable = Some(true);
                Ok(())
            }
            "required" => {
                self.is_required = true;
                self.only_for(&[MountKind::Secret, MountKind::Ssh], "required")
            }
            _ => {
                let error = MountError::new(format!("`{field}` must be a key and a value"));
                Err(error.help(format!("write `{field}=…`")))
            }
        }
    }

    fn set(&mut self, key: &str, field: &str, value: String) -> Result<(), MountError> {
        let wrong = || MountError::new(format!("`{value}` is not a value of `{key}`"));
        match key {
            "type" => self.kind = kind(&value)?,
            "from" => self.from = value,
            "source" | "src" => self.source = value,
            "target" | "dst" | "destination" => self.target = value,
            "readonly" | "ro" | "readwrite" | "rw" => {
                let truth =
                    go_numbers::truth(&value).ok_or_else(|| wrong().help("write `true` or `false`"))?;
                self.is_writable = Some(truth == matches!(key, "readwrite" | "rw"));
            }
            "required" => {
                self.only_for(&[MountKind::Secret, MountKind::Ssh], key)?;
                self.is_required =
                    go_numbers::truth(&value).ok_or_else(|| wrong().help("write `true` or `false`"))?;
            }
            "size" => {
                self.only_for(&[MountKind::Tmpfs], key)?;
                let size = go_numbers::size(&value);
                self.size =
                    Some(size.ok_or_else(|| wrong().help("write a number and a unit, such as `64m`"))?);
            }
            "id" => self.id = value,
            "sharing" => {
                self.sharing = Some(match &*lower(&value) {
                    "shared" => Sharing::Shared,
                    "private" => Sharing::Private,
                    "locked" => Sharing::Locked,
                    _ => return Err(suggest(wrong(), &value, &SHARINGS)),
                });
            }
            "mode" => self.mode = Some(self.number("mode", &value, 8)?),
            "uid" => self.uid = Some(self.number("uid", &value, 10)?),
            "gid" => self.gid = Some(self.number("gid", &value, 10)?),
            "env" => self.variable = Some(value),
            _ => {
                let error = MountError::new(format!("a mount knows no key `{key}` (in `{field}`)"));
                return Err(suggest(error, key, &KEYS));
            }
        }
        Ok(())
    }

    fn number(&mut self, key: &'static str, value: &str, radix: u32) -> Result<u32, MountError> {
        self.has_owner_or_mode.get_or_insert(key);
        let help = if radix == 8 { "write an octal number" } else { "write a number" };
        let error = || MountError::new(format!("`{value}` is not a value of `{key}`")).help(help);
        go_numbers::unsigned(value, radix).ok_or_else(error)
    }

    /// Keys that belong to some kinds must stand after the `type`.
    fn only_for(&self, kinds: &[MountKind], key: &str) -> Result<(), MountError> {
        if kinds.contains(&self.kind) {
            return Ok(());
        }
        let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
        let message = format!("`{key}` is no key of a mount of the type `{}`", self.kind.word());
        let help = format!("it is for `type={}`, which must stand before it", words.join("` and `type="));
        Err(MountError::new(message).help(help))
    }

    fn check(&self) -> Result<(), MountError> {
        let takes_owner = matches!(self.kind, MountKind::Secret | MountKind::Ssh | MountKind::Cache);
        if let Some(key) = self.has_owner_or_mode.filter(|_| !takes_owner) {
            let message = format!("`{key}` is no key of a mount of the type `{}`", self.kind.word());
            return Err(MountError::new(message).help("it is for `type=secret`, `type=ssh` and `type=cache`"));
        }
        if self.sharing.is_some() && self.kind != MountKind::Cache {
            let message = format!("`sharing` is no key of a mount of the type `{}`", self.kind.word());
            return Err(MountError::new(message).help("it is for `type=cache`"));
        }
        match self.kind {
            MountKind::Secret => self.check_secret(),
            MountKind::Ssh if !self.source.is_empty() => {
                Err(MountError::new("a mount of the type `ssh` has no source")
                    .help("name the agent with `id=…`"))
            }
            _ => Ok(()),
        }
    }

    fn check_secret(&self) -> Result<(), MountError> {
        if !self.from.is_empty() {
            return Err(MountError::new("a mount of the type `secret` has no `from`"));
        }
        if self.source.is_empty() && self.target.is_empty() && self.id.is_empty() {
            let error = MountError::new("a mount of the type `secret` must say which secret");
            return Err(error.help("write `id=…`"));
        }
        if !self.source.is_empty() && !self.id.is_empty() {
            let error = MountError::new("a mount of the type `secret` has either `id` or `source`");
            return Err(error.help("both name the secret: keep `id`"));
        }
        Ok(())
    }
}

/// The text in lower case, which it mostly is.
fn lower(text: &str) -> Cow<'_, str> {
    match text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.to_lowercase()),
    }
}

fn kind(value: &str) -> Result<MountKind, MountError> {
    let word = lower(value);
    let known = MountKind::ALL.iter().find(|(name, _)| *name == word);
    known.map(|(_, kind)| *kind).ok_or_else(|| {
        let error = MountError::new(format!("`{value}` is no type of a mount"));
        suggest(error, value, &MountKind::ALL.map(|(name, _)| name))
    })
}

fn suggest(error: MountError, word: &str, known: &[&str]) -> MountError {
    match nearest(word, known.iter().copied()) {
        Some(name) => error.help(format!("did you mean `{name}`?")),
        None => error.help(format!("expected one of `{}`", known.join("`, `"))),
    }
}

/// One line of comma-separated values, quotes doubled inside quotes (`go-csvvalue`).
///
/// # Errors
/// When the text is empty or its quotes are wrong.
pub(super) fn fields(text: &str) -> Result<Vec<Cow<'_, str>>, MountError> {
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if text.is_empty() {
        return Err(MountError::new("the value is empty")
            .help("write keys and values, such as `type=cache,target=/c`"));
    }
    if !text.contains('"') {
        return Ok(text.split(',').map(Cow::Borrowed).collect());
    }
    let wrong = || MountError::new("the quotes in the value do not match");
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(inner) => {
                let (field, after) = quoted_field(inner).ok_or_else(wrong)?;
                (Cow::Owned(field), after)
            }
            None => {
                let length = rest.find(',').unwrap_or(rest.len());
                let (field, after) = rest.split_at(length);
                if field.contains('"') {
                    return Err(wrong());
                }
                (Cow::Borrowed(field), after)
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}

/// The field after an opening quote, and what follows: nothing or a comma.
fn quoted_field(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        field += part;
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None if after.is_empty() || after.starts_with(',') => return Some((field, after)),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = read(text, |value| Ok(value.to_owned())).map_or_else(
            |error| format!("! {}", error.message),
            |mount| {
                format!("{} {} {} {} {}", mount.kind.word(), mount.from, mount.source, mount.target, mount.id)
            },
        );
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn mounts_are_read() {
        check("target=/t", "bind   /t ");
        check("type=bind,from=a,src=/b,dst=/t,ro", "bind a /b /t ");
        check("type=CACHE,id=x,sharing=locked,target=/t,mode=0755", "cache   /t x");
        check("\"type=tmpfs\",\"target=/a,b\",size=64m", "tmpfs   /a,b ");
        check("type=secret,id=a,required", "secret    a");
        check("required,type=secret,id=a", "! `required` is no key of a mount of the type `bind`");
        check("type=cashe", "! `cashe` is no type of a mount");
        check("tpye=cache", "! a mount knows no key `tpye` (in `tpye=cache`)");
        check("", "! the value is empty");
        check("a\"b", "! the quotes in the value do not match");
        check("type=bind,mode=7", "! `mode` is no key of a mount of the type `bind`");
        check("type=secret", "! a mount of the type `secret` must say which secret");
        check("target=/a,", "! `` must be a key and a value");
    }

    #[test]
    fn from_is_replaced() {
        assert_eq!(with_from("from=a,\"target=/t\"", Some("#1")).unwrap(), "from=#1,target=/t");
        assert_eq!(with_from("\"a,b\"", None).unwrap(), "\"a,b\"");
        assert_eq!(from_of("target=$X,from=a").unwrap(), "a");
        assert!(from_of("from=$X").is_err());
    }
}
