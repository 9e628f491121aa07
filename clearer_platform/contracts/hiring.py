"""The hiring domain: departments and jobs, and the people who were hired into them.

Every field is required. A hire may come before its department or its job: it is accepted, and gold holds it back until
both are there.
"""

import ibis.expr.datatypes as dt
import pandera.ibis as pa

from clearer_platform.contracts.contract import Contract, Personal, Reference
from clearer_platform.contracts.fields import ID, Instant


class Departments(pa.DataFrameModel):
    """Departments that people are hired into; the latest row of a department wins."""

    id: dt.Int64 = pa.Field(description="The region's id of the department.")
    department: str = pa.Field(str_matches=ID, description="Name of the department.")


class Jobs(pa.DataFrameModel):
    """Jobs that people are hired for; the latest row of a job wins."""

    id: dt.Int64 = pa.Field(description="The region's id of the job.")
    job: str = pa.Field(str_matches=ID, description="Name of the job.")


class HiredEmployees(pa.DataFrameModel):
    """People who were hired; the latest row of a person wins."""

    id: dt.Int64 = pa.Field(description="The region's id of the employee.", metadata={"personal": Personal.IDENTIFIER})
    name: str = pa.Field(description="Name of the employee.", metadata={"personal": Personal.DIRECT})
    datetime: Instant = pa.Field(description="When the employee was hired (UTC).")
    department_id: dt.Int64 = pa.Field(description="The department that hired.")
    job_id: dt.Int64 = pa.Field(description="The job that the employee was hired for.")


DEPARTMENTS = Contract(name="departments", domain="hiring", model=Departments, key=("id",))
JOBS = Contract(name="jobs", domain="hiring", model=Jobs, key=("id",))
HIRED_EMPLOYEES = Contract(
    name="hired_employees",
    domain="hiring",
    model=HiredEmployees,
    key=("id",),
    event_time="datetime",
    references=(
        Reference(("department_id",), "departments", waits=True),
        Reference(("job_id",), "jobs", waits=True),
    ),
)
