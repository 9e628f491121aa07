{{ winning_versions('hired_employees') }}
