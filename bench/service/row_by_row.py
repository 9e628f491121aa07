"""What a user would write instead: FastAPI and SQLAlchemy on SQLite, each row validated, looked up, added, committed.

It does the service's job for one table and no more: required fields, types, known department and job, a log of what was
invalid. `ONCE_A_BATCH=yes` commits once a batch instead, which is faster and keeps less: a batch that breaks off is
gone whole.

    DATABASE=file.sqlite python -m uvicorn bench.service.row_by_row:app
"""

import os
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ValidationError
from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

ONCE_A_BATCH = bool(os.environ.get("ONCE_A_BATCH"))


class Base(DeclarativeBase):
    """The tables."""


class Department(Base):
    """A department."""

    __tablename__ = "departments"
    id: Mapped[int] = mapped_column(primary_key=True)
    department: Mapped[str]


class Job(Base):
    """A job."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[str]


class Employee(Base):
    """A person who was hired."""

    __tablename__ = "hired_employees"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    datetime: Mapped[datetime]
    department_id: Mapped[int] = mapped_column(ForeignKey("departments.id"))
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))


class Refused(Base):
    """The log of rows that were not written."""

    __tablename__ = "refused"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    row: Mapped[int]
    reason: Mapped[str]


class EmployeeIn(BaseModel):
    """A row as it must be."""

    id: int
    name: str
    datetime: datetime
    department_id: int
    job_id: int


engine = create_engine(f"sqlite:///{os.environ['DATABASE']}", connect_args={"timeout": 60})
Base.metadata.create_all(engine)
app = FastAPI()


@app.post("/departments")
def departments(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Write departments."""
    with Session(engine) as session:
        session.add_all([Department(**row) for row in rows])
        session.commit()
    return {"written": len(rows)}


@app.post("/jobs")
def jobs(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Write jobs."""
    with Session(engine) as session:
        session.add_all([Job(**row) for row in rows])
        session.commit()
    return {"written": len(rows)}


@app.post("/hired_employees")
def hired_employees(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Write the valid rows, log the others."""
    written = 0
    with Session(engine) as session:
        for number, row in enumerate(rows, 1):
            reason = _write(session, row)
            if reason:
                session.add(Refused(row=number, reason=reason))
            else:
                written += 1
            if not ONCE_A_BATCH:
                session.commit()
        session.commit()
    return {"written": written, "invalid": len(rows) - written}


@app.get("/count")
def count() -> int:
    """Rows written."""
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(Employee)) or 0


def _write(session: Session, row: dict[str, Any]) -> str | None:
    """Add a row, or replace the one of its id; why it cannot be written, if it cannot."""
    try:
        employee = EmployeeIn.model_validate(row)
    except ValidationError as e:
        return str(e.errors()[0]["type"])
    if session.get(Department, employee.department_id) is None:
        return "unknown department"
    if session.get(Job, employee.job_id) is None:
        return "unknown job"
    session.merge(Employee(**employee.model_dump()))
    return None
