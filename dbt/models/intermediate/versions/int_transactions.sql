{{ winning_versions('transactions', is_incremental()) }}
