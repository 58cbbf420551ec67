#![expect(missing_docs, reason="x")]
