//! The values of arguments that are facts of a build.

use super::slice::{self, Slice, SliceRequest};
use super::target::BuildDefinition;
use crate::syntax::dockerfile::Dockerfile;
use crate::syntax::dockerfile::keyword::Keyword;
use crate::syntax::dockerfile::model::{Argument, Command, Instruction};
use crate::types::sorted_map::SortedMap;
use crate::types::span::Located;

/// The argument that names the frontend, whatever the file says.
const FRONTEND: &str = "BUILDKIT_SYNTAX";

/// The values of arguments that are facts. What a stamp decides is none, directly or through the
/// default of another argument: the values are those of a slice to which all stamps are one same text.
/// An empty stamp stays empty, for `${STAMP:-other}` asks for that.
pub(super) fn keyed_arguments(
    dockerfile: &Dockerfile,
    request: &SliceRequest<'_>,
    definition: &BuildDefinition,
    slice: &Slice,
) -> SortedMap<String, Option<String>> {
    let values = |slice: &Slice| -> SortedMap<String, Option<String>> {
        let arguments = slice.arguments.iter().map(|(name, argument)| (name.clone(), argument.value.clone()));
        // A foreign frontend may use whatever it is given.
        let given = request.args.iter().filter(|_| slice.is_foreign);
        let given = given.map(|(name, value)| (name.clone(), Some(value.clone())));
        given.chain(arguments).filter(|(name, _)| !definition.stamp.contains_key(name)).collect()
    };
    if !definition.stamp.keys().any(|stamp| may_decide(dockerfile, stamp)) {
        return values(slice);
    }
    let same = |(name, stamp): (&String, &Located<String>)| {
        (name.clone(), if stamp.value.is_empty() { String::new() } else { "stamp".to_owned() })
    };
    let given = request.args.iter().map(|(name, value)| (name.clone(), value.clone()));
    let args = given.chain(definition.stamp.iter().map(same)).collect();
    let keyed = values(slice);
    // A stamp may choose the stages: those that are built decide which arguments are facts. Where
    // there is nothing to build without the stamp, the values with it are the facts.
    let Ok(stampless) = slice::slice(dockerfile, &SliceRequest { args: &args, ..*request }) else {
        return keyed;
    };
    let stampless = values(&stampless);
    let value = |(name, value): (String, Option<String>)| match stampless.get(&name) {
        Some(other) => (name, other.clone()),
        None => (name, value),
    };
    keyed.into_iter().map(value).collect()
}

/// Whether the argument `name` may have a part in the value of another one, or in which stages are built.
/// Nobody can use it without writing its name.
fn may_decide(dockerfile: &Dockerfile, name: &str) -> bool {
    let is_made_of = |argument: &Argument| argument.default.as_ref().is_some_and(|text| text.contains(name));
    let says = |instruction: &Instruction| match &instruction.command {
        Command::Arg(arguments) => arguments.iter().any(is_made_of),
        Command::Pairs(pairs) if instruction.keyword == Keyword::Env => {
            pairs.iter().any(|pair| pair.name.contains(name) || pair.value.contains(name))
        }
        Command::Onbuild(text) => text.contains(name),
        _ => false,
    };
    name == FRONTEND
        || dockerfile.arguments.iter().any(is_made_of)
        || dockerfile.stages.iter().any(|stage| {
            let platform = stage.platform.as_ref().is_some_and(|platform| platform.value.contains(name));
            platform || stage.base.value.contains(name) || stage.instructions.iter().any(says)
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::syntax::dockerfile;
    use crate::types::span::SourceText;
    use crate::types::workspace_path::WorkspacePath;

    fn check(text: &str, expected: bool) {
        let source = Arc::new(SourceText { path: WorkspacePath::root(), text: text.to_owned() });
        let dockerfile = dockerfile::parse(&source).unwrap();
        assert_eq!(may_decide(&dockerfile, "SHA"), expected, "{text}");
    }

    #[test]
    fn a_stamp_decides_only_where_its_name_is_written() {
        check("FROM scratch\nARG SHA\nLABEL sha=$SHA\n", false);
        check("ARG SHA\nFROM scratch\nARG SHA=none\nRUN echo $SHA\n", false);
        check("ARG SHA\nARG TAG=v-${SHA}\nFROM scratch\n", true);
        check("FROM scratch\nARG SHA\nARG TAG=v-$SHA\n", true);
        check("FROM scratch\nARG SHA\nENV TAG=$SHA\nARG OTHER=$TAG\n", true);
        check("FROM scratch\nARG SHA\nENV $SHA=a\n", true);
        check("ARG SHA\nFROM image:${SHA:-1}\n", true);
        check("ARG SHA\nFROM --platform=linux/$SHA image\n", true);
        check("FROM scratch\nONBUILD ARG TAG=$SHA\n", true);
    }

    #[test]
    fn the_frontend_decides_everything() {
        let source = Arc::new(SourceText { path: WorkspacePath::root(), text: "FROM scratch\n".to_owned() });
        assert!(may_decide(&dockerfile::parse(&source).unwrap(), FRONTEND));
    }
}
