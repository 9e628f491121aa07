{{ winning_versions('fx_rates') }}
