//! Monorepos of any size, made from a seed, for benches and for tests that need many services.
//!
//! The same options give the same bytes on every machine. The Dockerfiles that a target reaches only
//! copy, and the shared base begins from nothing, so that a real engine builds a thousand services in
//! minutes and without a network; what a reader of Dockerfiles has to cope with (mounts, heredocs,
//! continuations) stands in stages that no target reaches.
//!
//! ```text
//! BUILD.toml .dockerignore       workspace, variables, defaults; rules with exceptions
//! docker/                        the shared base image and one stage for each library
//! libraries/lib-03/              files that several services read
//! services/svc-0042/             BUILD.toml, Dockerfile, and the service's files in a few folders
//! ```
//!
//! Of twenty services eleven copy their own folders from the root context, five copy a library too,
//! one is based on a service before it, and three say `COPY . .` in a folder with an ignore file.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each user takes a part of it")]

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// What a monorepo is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// How many services there are, each with one image.
    pub services: usize,
    /// How many files each service has, besides its `BUILD.toml`, Dockerfile and ignore file; at
    /// least two, for its Dockerfile copies from two folders.
    pub files_per_service: usize,
    /// How large those files are in the mean, in bytes.
    pub mean_file_bytes: usize,
    /// How many libraries the services share.
    pub libraries: usize,
    /// Another seed gives other sizes, contents and choices.
    pub seed: u64,
    /// Whether the tree becomes a git repository with one commit.
    pub commit: bool,
}

impl Default for Options {
    fn default() -> Self {
        let (services, files_per_service, mean_file_bytes) = (100, 20, 1024);
        Self { services, files_per_service, mean_file_bytes, libraries: 12, seed: 1, commit: false }
    }
}

/// How many files each library has.
const LIBRARY_FILES: usize = 8;

/// Makes the monorepo in `root`, which is created.
///
/// # Errors
/// When a file cannot be written, or git is wanted and fails.
pub fn generate(root: &Path, options: &Options) -> io::Result<()> {
    write(&root.join("BUILD.toml"), ROOT_BUILD_TOML)?;
    write(&root.join(".dockerignore"), ROOT_IGNORE_FILE)?;
    write(&root.join(".gitignore"), "*.log\n/target/\nnode_modules/\n")?;
    write(&root.join("docker/base.dockerfile"), BASE_DOCKERFILE)?;
    write(&root.join("docker/etc/base.conf"), "level = info\n")?;
    write(&root.join("docker/libraries.dockerfile"), &libraries_dockerfile(options))?;
    write(&root.join("docker/BUILD.toml"), &libraries_build_toml(options))?;
    in_parallel(options.libraries, |number| write_library(root, options, number))?;
    in_parallel(options.services, |number| write_service(root, options, number))?;
    if options.commit { commit(root) } else { Ok(()) }
}

/// The name of a service, which is also that of its folder and its image.
pub fn service_name(number: usize) -> String {
    format!("svc-{number:04}")
}

/// The folder of a service, relative to the root.
pub fn service_folder(number: usize) -> PathBuf {
    Path::new("services").join(service_name(number))
}

/// Calls `work` for `0..count`, on all processors.
pub fn in_parallel(count: usize, work: impl Fn(usize) -> io::Result<()> + Sync) -> io::Result<()> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let every = |first: usize| (first..count).step_by(threads).try_for_each(&work);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || every(first))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })
}

/// Writes a file and makes the folders above it.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(path.parent().expect("every file of the tree lies in a folder"))?;
    fs::write(path, text)
}

/// Everybody's own numbers: what one service gets does not depend on how many there are.
pub struct Numbers(u64);

impl Numbers {
    /// The numbers of the thing `number` of those of a kind.
    pub fn of(options: &Options, kind: u64, number: usize) -> Self {
        let mut numbers = Self(options.seed ^ (kind << 56));
        numbers.0 = numbers.next().wrapping_add(number as u64);
        numbers
    }

    /// Steele, Lea and Flood, "Fast splittable pseudorandom number generators": splitmix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// A size with the mean `mean`: most are small, one of sixteen is large.
    pub fn size(&mut self, mean: usize) -> usize {
        let (small, large) = (mean * 2 / 3, mean * 6);
        if self.below(16) == 0 { large / 2 + self.below(large) } else { small / 2 + self.below(small) }
    }

    /// Lines of 63 letters.
    pub fn text(&mut self, bytes: usize) -> String {
        const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ_(){};=.,<>";
        let mut text = String::with_capacity(bytes + 64);
        while text.len() < bytes {
            for _ in 0..7 {
                let mut bits = self.next();
                for _ in 0..9 {
                    text.push(char::from(LETTERS[(bits % 64) as usize]));
                    bits /= 64;
                }
            }
            text.push('\n');
        }
        text
    }
}

fn write_library(root: &Path, options: &Options, number: usize) -> io::Result<()> {
    let mut numbers = Numbers::of(options, 1, number);
    let folder = root.join(format!("libraries/{}", library_name(number)));
    for file in 0..LIBRARY_FILES {
        let part = if file % 2 == 0 { "src" } else { "src/parts" };
        let size = numbers.size(options.mean_file_bytes);
        write(&folder.join(format!("{part}/file-{file:02}.rs")), &numbers.text(size))?;
    }
    write(&folder.join("README.md"), &numbers.text(300))
}

fn library_name(number: usize) -> String {
    format!("lib-{number:02}")
}

/// Where the files of a service lie, in turns. No build reads `tests`.
const PLACES: [&str; 10] = [
    "src",
    "config",
    "src/handlers",
    "src/model/events",
    "tests",
    "src",
    "src/handlers",
    "src/model/events",
    "tests",
    "src",
];

fn write_service(root: &Path, options: &Options, number: usize) -> io::Result<()> {
    let mut numbers = Numbers::of(options, 2, number);
    let folder = root.join(service_folder(number));
    for file in 0..options.files_per_service {
        let size = numbers.size(options.mean_file_bytes);
        let path = format!("{}/file-{file:03}.rs", PLACES[file % PLACES.len()]);
        write(&folder.join(path), &numbers.text(size))?;
    }
    let service = Service::choose(&mut numbers, options, number);
    write(&folder.join("BUILD.toml"), &service.build_toml())?;
    write(&folder.join("Dockerfile"), &service.dockerfile())?;
    match service.shape {
        Shape::Whole => write(&folder.join(".dockerignore"), SERVICE_IGNORE_FILE),
        _ => Ok(()),
    }
}

/// What a service reads and is based on.
enum Shape {
    /// Its own folders.
    Own,
    /// Its own folders and a library's.
    Library(usize),
    /// Its own folders, on top of another service's image.
    Based(usize),
    /// All of its own folder but what an ignore file takes out.
    Whole,
}

struct Service {
    name: String,
    shape: Shape,
    /// The library whose built stage it copies from.
    stage: usize,
}

impl Service {
    fn choose(numbers: &mut Numbers, options: &Options, number: usize) -> Self {
        let stage = numbers.below(options.libraries);
        let shape = match numbers.below(20) {
            0..=10 => Shape::Own,
            11..=15 => Shape::Library(numbers.below(options.libraries)),
            // Chains of services stay short: the service below is one of the first of its hundred.
            16 if number % 100 > 5 => Shape::Based(number - number % 100 + numbers.below(3)),
            16 => Shape::Own,
            _ => Shape::Whole,
        };
        Self { name: service_name(number), shape, stage }
    }

    fn build_toml(&self) -> String {
        let (name, stage) = (&self.name, library_name(self.stage));
        let mut text = format!("# {name}: made for measuring.\n\n[image.{name}]\n");
        if matches!(self.shape, Shape::Whole) {
            text += "context = \".\"\n";
        }
        let _infallible = match self.shape {
            Shape::Based(other) => {
                let other = service_name(other);
                let below = format!("BELOW = {{ target = \"//services/{other}\" }}");
                writeln!(text, "args = {{ SERVICE = \"${{name}}\", PROFILE = \"${{PROFILE}}\", {below} }}")
            }
            _ => writeln!(text, "args = {{ SERVICE = \"${{name}}\", PROFILE = \"${{PROFILE}}\" }}"),
        };
        let _infallible = writeln!(text, "contexts = {{ library = \"//docker:{stage}\" }}");
        text
    }

    fn dockerfile(&self) -> String {
        let (name, base) = (&self.name, "ghcr.io/acme/builder-base:1");
        let below = if matches!(self.shape, Shape::Based(_)) { "${BELOW}" } else { base };
        let argument = if matches!(self.shape, Shape::Based(_)) { "ARG BELOW\n" } else { "" };
        let mut copies = String::new();
        let _infallible = match self.shape {
            Shape::Whole => writeln!(copies, "COPY . ."),
            _ => writeln!(
                copies,
                "COPY services/{name}/src/ src/\nCOPY services/{name}/config/*.rs \\\n     config/"
            ),
        };
        if let Shape::Library(library) = self.shape {
            let _infallible = writeln!(copies, "COPY libraries/{0}/src/ {0}/", library_name(library));
        }
        SERVICE_DOCKERFILE
            .replace("{argument}", argument)
            .replace("{base}", base)
            .replace("{below}", below)
            .replace("{copies}", &copies)
            .replace("{name}", name)
    }
}

/// One commit by nobody at a fixed time: the same tree has the same commit.
pub fn commit(root: &Path) -> io::Result<()> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(root).args(["-c", "user.name=nobody", "-c", "user.email=nobody@example.com"]);
        command.args(["-c", "gc.auto=0", "-c", "commit.gpgsign=false"]).args(arguments);
        for date in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
            command.env(date, "2026-01-01T00:00:00Z");
        }
        let status = command.status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("git {arguments:?} failed"))) }
    };
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message=A generated monorepo"])
}

const ROOT_BUILD_TOML: &str = r#"# A generated monorepo.

[workspace]
name = "generated"
exclude = ["third_party/**"]

[vars]
REPO = { env = "IMAGE_REPO", default = "ghcr.io/acme/generated" }
PROFILE = { default = "release", values = ["release", "performance"] }
REVISION = { env = "REVISION", default = "unknown" }

[defaults.image]
context = "//"
tags = ["${REPO}/${name}:dev"]
stamp = { REVISION = "${REVISION}" }
labels = { "org.opencontainers.image.source" = "https://example.com/acme/generated" }

[defaults.stage]
context = "//"
"#;

const ROOT_IGNORE_FILE: &str = "\
# What no build reads.
.git
**/.DS_Store
**/*.log
**/*.tmp
**/target
**/node_modules
**/__pycache__
docs
third_party
!third_party/vendored
*.md
!README.md
**/README.md
services/*/tests
!services/*/tests/fixtures
**/BUILD.toml
**/*.dockerfile
**/.env*
!**/.env.example
";

const SERVICE_IGNORE_FILE: &str = "*\n!src\n!config/**\n**/*.tmp\nBUILD.toml\nDockerfile\n";

const BASE_DOCKERFILE: &str = "FROM scratch\nWORKDIR /work\nCOPY etc/ /etc/\nENV LANG=C.UTF-8\n";

fn libraries_dockerfile(options: &Options) -> String {
    let stage = |number| {
        let name = library_name(number);
        format!("\nFROM sources AS {name}\nCOPY libraries/{name}/src/ /out/{name}/\n")
    };
    let head = "# One stage for each library.\nFROM ghcr.io/acme/builder-base:1 AS sources\n";
    head.to_owned() + &(0..options.libraries).map(stage).collect::<String>()
}

fn libraries_build_toml(options: &Options) -> String {
    let stage = |number| {
        let name = library_name(number);
        format!("\n[stage.{name}]\ndockerfile = \"libraries.dockerfile\"\ntarget = \"{name}\"\n")
    };
    let head = "[base.builder-base]\ndockerfile = \"base.dockerfile\"\ncontext = \".\"\n\
                publishes = \"ghcr.io/acme/builder-base\"\n";
    head.to_owned() + &(0..options.libraries).map(stage).collect::<String>()
}

const SERVICE_DOCKERFILE: &str = r#"# {name}, made for measuring.
ARG PROFILE=release
{argument}FROM {base} AS build
ARG SERVICE
ARG PROFILE
WORKDIR /build/{name}
{copies}ENV SERVICE=${SERVICE} \
    # A comment inside of a continuation.
    PROFILE=${PROFILE:-release}
COPY --from=library /out/ library/

# No target reaches this stage.
FROM build AS check
COPY services/{name}/tests/ tests/
RUN --mount=type=cache,id=cargo,target=/root/.cargo/registry,sharing=locked \
    --mount=type=bind,source=libraries,target=/libraries \
    --mount=type=secret,id=token,required=false \
    set -eu; \
    for file in tests/*.rs; do \
        check "$file" --profile="${PROFILE}"; \
    done
RUN <<SCRIPT
set -eu
compile --all --out /out/{name}
SCRIPT

FROM {below}
ARG SERVICE
COPY --from=build --chmod=0755 /build/{name}/ /srv/{name}/
COPY <<CONFIG /etc/{name}.conf
service = ${SERVICE}
CONFIG
ENV SERVICE=${SERVICE}
USER 65534:65534
EXPOSE 8080/tcp
HEALTHCHECK --interval=30s --timeout=3s CMD ["/srv/{name}/serve", "--health"]
ARG REVISION
LABEL org.opencontainers.image.revision=$REVISION
ENTRYPOINT ["/srv/{name}/serve"]
CMD ["--listen", "0.0.0.0:8080"]
"#;
