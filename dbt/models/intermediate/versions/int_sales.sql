{{ winning_versions('sales', also=['rowid']) }}
