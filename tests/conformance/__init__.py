"""Black-box conformance suite: what any livelog server must answer, as data, and the runner that checks it."""
