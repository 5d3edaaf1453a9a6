"""One suite for every implementation of `livelog.log.source.Source`: readers must not see who writes a log."""
