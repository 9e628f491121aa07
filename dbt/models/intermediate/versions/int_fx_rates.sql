{{ winning_versions('fx_rates', is_incremental()) }}
