{{ winning_versions('conversations', is_incremental()) }}
