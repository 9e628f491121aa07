{{ winning_versions('customers', is_incremental(), direct=['birth_date']) }}
