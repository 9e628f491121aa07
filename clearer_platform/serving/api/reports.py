"""Reports: ready-made questions to gold, for any year, as JSON or CSV."""

from dataclasses import dataclass
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import Query, Response
from pydantic import BaseModel, Field

from clearer_platform.governance import Operation
from clearer_platform.platform import Platform
from clearer_platform.serving.api.access import Asking, Caller, Serving, endpoints, guarded, needs
from clearer_platform.serving.api.answers import CSV, Wish, as_csv, csv
from clearer_platform.serving.api.service import Service
from clearer_platform.serving.reading import read

router = endpoints("reports", "/reports", 406)

Year = Annotated[int, Query(ge=1, le=9999, description="Calendar year in the region's time zone.", examples=[2021])]


class HiresByQuarter(BaseModel):
    """How many people a department hired for a job in each quarter of the year."""

    department: str = Field(examples=["Accounting"])
    job: str = Field(examples=["Account Representative IV"])
    q1: int = Field(ge=0, examples=[1])
    q2: int = Field(ge=0, examples=[0])
    q3: int = Field(ge=0, examples=[0])
    q4: int = Field(ge=0, examples=[0])


class DepartmentAboveMean(BaseModel):
    """A department that hired more people in the year than the mean of the departments that hired."""

    id: int = Field(examples=[8])
    department: str = Field(examples=["Support"])
    hired: int = Field(ge=0, examples=[216])


@dataclass(frozen=True)
class Report:
    """A table of gold that has rows for each year, in an order of its own."""

    table: str
    row: type[BaseModel]

    def read(self, platform: Platform, region: str, year: int) -> pa.Table:
        """The rows of one year."""
        found = read(platform, self.table, region=region)
        return found.filter(pc.equal(found["year"], year)).select(list(self.row.model_fields))

    async def answer(self, service: Service, caller: Caller, year: int, wish: str) -> Response | list[BaseModel]:
        """The rows of one year, in the media type that is wished for."""
        found = await service.workers.run(self.read, service.platform, caller.region, year)
        if wish == CSV:
            return await service.workers.run(csv, found, service.platform.layout(caller.region).work)
        return [self.row(**row) for row in found.to_pylist()]


BY_QUARTER = Report("hires_by_quarter", HiresByQuarter)
ABOVE_MEAN = Report("departments_above_mean", DepartmentAboveMean)


@router.get(
    "/hires-by-quarter",
    response_model=list[HiresByQuarter],
    responses=as_csv("A row for each department and job, in that order."),
)
@guarded(needs(Operation.READ, table=f"gold.{BY_QUARTER.table}"))
async def hires_by_quarter(service: Serving, caller: Asking, year: Year, wish: Wish) -> Response | list[BaseModel]:
    """Hires of a year by department, job and quarter, ordered by department, then job."""
    return await BY_QUARTER.answer(service, caller, year, wish)


@router.get(
    "/departments-above-mean",
    response_model=list[DepartmentAboveMean],
    responses=as_csv("A row for each department, the one that hired most first; ties by id."),
)
@guarded(needs(Operation.READ, table=f"gold.{ABOVE_MEAN.table}"))
async def departments_above_mean(
    service: Serving, caller: Asking, year: Year, wish: Wish
) -> Response | list[BaseModel]:
    """Departments that hired more people in a year than the mean of all that hired, descending, ties by id."""
    return await ABOVE_MEAN.answer(service, caller, year, wish)
