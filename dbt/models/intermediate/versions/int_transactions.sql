{{ winning_versions('transactions') }}
