{{ winning_versions('customers') }}
