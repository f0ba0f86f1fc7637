use super::*;

fn tokens(key: &str, issuer: &str) -> Tokens {
    Tokens::new(&AuthSettings {
        key: key.into(),
        key_file: String::new(),
        issuer: issuer.to_owned(),
        audience: "newswire".to_owned(),
    })
    .expect("a usable key")
}

const KEY: &str = "0123456789abcdef0123456789abcdef";
const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_token_says_what_it_was_minted_with() {
    let tokens = tokens(KEY, "newswire");
    let roles = ["editor".to_owned()];
    let claims = tokens.check(&tokens.mint("ann", &roles, HOUR).expect("minted"));
    let claims = claims.expect("valid");
    assert_eq!((claims.sub.as_str(), claims.roles.as_slice()), ("ann", &roles[..]));
}

#[test]
fn forged_foreign_and_damaged_tokens_are_not_taken() {
    let ours = tokens(KEY, "newswire");
    let other_key = tokens("another key, but just as long as ours", "newswire");
    let other_issuer = tokens(KEY, "somebody");
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJpc3MiOiJuZXdzd2lyZSIsImF1ZCI6Im5ld3N3aXJlIiwiZXhwIjo5OTk5OTk5OTk5LCJuYmYiOjAsImlhdCI6MH0.";
    let mint = |tokens: &Tokens| tokens.mint("ann", &[], HOUR).expect("minted");
    let damaged = format!("{}x", mint(&ours));
    let long = "x".repeat(MAX_TOKEN + 1);
    for token in [&mint(&other_key), &mint(&other_issuer), none, &damaged, &long, "", "a.b.c"] {
        assert_eq!(ours.check(token), Err(TokenError::Invalid), "{token}");
    }
}

#[test]
fn an_expired_token_is_told_apart() {
    let tokens = tokens(KEY, "newswire");
    let past = OffsetDateTime::now_utc().unix_timestamp() - 60;
    let claims = Minted {
        sub: "ann",
        roles: &[],
        iss: "newswire",
        aud: "newswire",
        nbf: past - 60,
        iat: past - 60,
        exp: past,
    };
    let token = encode(&Header::new(Algorithm::HS256), &claims, &tokens.encoding);
    assert_eq!(tokens.check(&token.expect("minted")), Err(TokenError::Expired));
}

#[test]
fn times_may_have_a_fraction() {
    let tokens = tokens(KEY, "newswire");
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let token = |nbf: &str, exp: &str| {
        let claims = format!(
            r#"{{"sub":"ann","iss":"newswire","aud":"newswire","iat":{nbf},"nbf":{nbf},"exp":{exp}}}"#
        );
        let claims: serde_json::Value = serde_json::from_str(&claims).expect("JSON");
        encode(&Header::new(Algorithm::HS256), &claims, &tokens.encoding).expect("a token")
    };
    let (past, to_come) = (format!("{}.25", now - 60), format!("{}.5", now + 60));
    let claims = tokens.check(&token(&past, &to_come)).expect("valid");
    assert!((now + 60..=now + 61).contains(&claims.exp), "{}", claims.exp);
    let whole = tokens.check(&token("0", &(now + 60).to_string())).expect("valid");
    assert_eq!(whole.exp, now + 60);
    assert!(tokens.check(&token("1.5e9", "9.5e9")).is_ok());
    assert_eq!(tokens.check(&token(&past, &past)), Err(TokenError::Expired));
    assert_eq!(tokens.check(&token(&to_come, &to_come)), Err(TokenError::Invalid));
    assert_eq!(tokens.check(&token(&past, "\"soon\"")), Err(TokenError::Invalid));
}

#[test]
fn a_short_or_missing_key_is_named() {
    for key in ["", "too short"] {
        let error = Tokens::new(&AuthSettings {
            key: key.into(),
            key_file: String::new(),
            issuer: "newswire".to_owned(),
            audience: "newswire".to_owned(),
        });
        assert!(error.err().expect("refused").to_string().contains("auth.key"));
    }
}
