//! Names that people give: of arms, metrics and classes. They are printed, and told apart by their
//! looks.

/// The first character of a name that no name should have: a control character, an invisible one, or
/// one that changes the direction of the text.
///
/// Joiners, which some scripts need, and combining characters are no such characters.
///
/// ```
/// use cyclr::names::unseen;
///
/// assert_eq!(unseen("lr 0.1, β = 0.9"), None);
/// assert_eq!(unseen("\u{1b}[31mred"), Some('\u{1b}'));
/// assert_eq!(unseen("cat\u{202e}"), Some('\u{202e}'));
/// assert_eq!(unseen("co\u{ad}sine"), Some('\u{ad}'));
/// ```
pub fn unseen(name: &str) -> Option<char> {
    let is_unseen = |c: &char| {
        c.is_control()
            || matches!(
                c,
                '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'
                    ..='\u{202e}'
            )
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0001}'..='\u{e007f}')
    };
    name.chars().find(is_unseen)
}
